"""Files that people from outside attach to their task, or to the plan of their milestone: of the types and the size that the settings allow, private."""

import mimetypes
import os

import frappe
from frappe import _
from frappe.core.api import file as file_api
from frappe.core.doctype.file.utils import get_content_hash
from frappe.utils import cint, cstr, escape_html
from frappe.utils.image import strip_exif_data

from milestone_automation.engine.base import compat, parsing
from milestone_automation.engine.people import signed_links
from milestone_automation.engine.rules import upload_types

DEFAULT_TYPES = "pdf, png, jpg, jpeg, gif, webp, txt, csv, doc, docx, xls, xlsx, ods, odt, zip"
DEFAULT_MEGABYTES = 10
MEGABYTE = 1024 * 1024
FORM_BYTES = 64 * 1024
MOST_FILES = 20  # of one person, at one task or plan
NAME_LENGTH = 100
KEPT_IN_NAMES = frozenset(" ._-()")
PHOTO = "image/jpeg"


def allowed_types() -> list[str]:
	"""Return the endings that files may have, in lower case, without dot; none where nothing may be attached."""
	if not most_megabytes():
		return []
	chosen_types = frappe.get_cached_doc("Milestone Settings").get("upload_types")
	return upload_types.allowed(DEFAULT_TYPES if chosen_types is None else chosen_types)


def most_megabytes() -> int:
	"""Return how large a file may be; 0 where people from outside attach none."""
	chosen_megabytes = frappe.get_cached_doc("Milestone Settings").get("upload_megabytes")
	wanted_megabytes = DEFAULT_MEGABYTES if chosen_megabytes is None else cint(chosen_megabytes)
	# Frappe refuses larger requests before any page of ours is asked; the rest of the form needs room too.
	possible = (file_api.get_max_file_size() - FORM_BYTES) // MEGABYTE
	return max(min(wanted_megabytes, possible), 0)


def sent_file():
	"""Return the file that came with the form, as werkzeug has it; None without one."""
	request = getattr(frappe.local, "request", None)
	sent = request.files.get("file") if request else None
	return sent if sent and sent.filename else None


def attach(doctype: str, document: str, sent, before: list[str]) -> tuple[str, str]:
	"""Attach a file to a task or plan; what is attached already stays as it is.

	Args:
		doctype, document: Milestone Task or Milestone Plan, and its name.
		sent: as `sent_file` returns it.
		before: names of the File documents that the same person has sent to it before.

	Returns:
		tuple: what the file is called, and the name of its File document.

	Raises:
		frappe.ValidationError: the file is empty, too large, of a type that is not allowed, a photo or PDF that cannot be read,
			or one too many of this person.
	"""
	name = _plain_name(sent.filename)
	_check_type(name)
	content = _read(sent)
	_check_readable(name, content)
	attachment = {"attached_to_doctype": doctype, "attached_to_name": document}
	hashes = {get_content_hash(content), _hash_as_stored(name, content, before)}
	if attached_file := frappe.db.exists("File", {"content_hash": ("in", sorted(hashes)), **attachment}):
		return name, attached_file
	if before and frappe.db.count("File", {"name": ("in", before)}) >= MOST_FILES:
		frappe.throw(_("You have sent many files here already. Please send the next one by mail."))
	values = {"doctype": "File", "file_name": name, "is_private": 1, "content": content, **attachment}
	file = frappe.get_doc(values)
	file.flags[signed_links.PROVEN] = True
	file.insert(ignore_permissions=True)  # the signed link is the right to attach
	return name, file.name


def _hash_as_stored(name: str, content: bytes, before: list[str]) -> str:
	"""Return the hash with which Frappe stores a file: photos lose what the camera wrote into them.

	That takes its time, so it is asked only for a photo of a name that the same person has sent before.
	"""
	is_stripped = (
		before
		and _is_photo(name)
		and frappe.get_system_settings("strip_exif_metadata_from_uploaded_images")
		# Frappe writes part of the hash behind a name that is taken.
		and frappe.db.exists(
			"File", {"name": ("in", before), "file_name": ("like", f"{os.path.splitext(name)[0]}%")}
		)
	)
	return get_content_hash(strip_exif_data(content, PHOTO) if is_stripped else content)


def _is_photo(name: str) -> bool:
	return mimetypes.guess_type(name)[0] == PHOTO


def _check_readable(name: str, content: bytes) -> None:
	if _is_photo(name):
		_check_photo(content)
	elif _ending(name) == "pdf":
		_check_pdf(content)


def _check_photo(content: bytes) -> None:
	"""Refuse in words what Frappe would open, to remove what the camera wrote, and fail at."""
	try:
		strip_exif_data(content, PHOTO)
	except Exception:  # Pillow has many for what is no picture, is cut off, or is far too large unpacked
		frappe.throw(
			_("This photo cannot be read. Please take it again, or send it as a file of another type.")
		)


def _check_pdf(content: bytes) -> None:
	"""Refuse in words what Frappe 16 would open, to look for scripts, and fail at."""
	try:
		compat.open_pdf(content)
	except Exception:  # pypdf has many for what is no PDF or is cut off
		frappe.throw(
			_("This PDF cannot be read. Please make it again, or send it as a file of another type.")
		)


def _plain_name(filename: str) -> str:
	"""Return the name of a file without folders, and without characters that mean something elsewhere."""
	base = os.path.basename(parsing.UNSTORABLE.sub("", cstr(filename)).replace("\\", "/"))
	safe_name = "".join(one if one.isalnum() or one in KEPT_IN_NAMES else "_" for one in base)
	stem, ending = os.path.splitext(safe_name.strip(" ."))
	return f"{stem[:NAME_LENGTH]}{ending[:10]}"


def _ending(name: str) -> str:
	return os.path.splitext(name)[1].strip(".").lower()


def _check_type(name: str) -> None:
	ending = _ending(name)
	types = allowed_types()
	if not types:
		frappe.throw(_("No files can be attached here."))
	if ending not in types:
		frappe.throw(
			_("Files of this type cannot be attached. Choose one of these: {0}.").format(
				escape_html(", ".join(types))
			)
		)


def _read(sent) -> bytes:
	megabytes = most_megabytes()
	limit = megabytes * MEGABYTE
	content = sent.stream.read(limit + 1)
	if len(content) > limit:
		frappe.throw(_("The file is too large. It may have at most {0} MB.").format(megabytes))
	if not content:
		frappe.throw(_("The file is empty."))
	return content
