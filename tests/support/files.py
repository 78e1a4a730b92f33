"""Files as people send them."""

PARTS = (
	b"<< /Type /Catalog /Pages 2 0 R >>",
	b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
	b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 72 72] >>",
)


def pdf(words: str = "") -> bytes:
	"""A PDF of one empty page that any program opens.

	Args:
		words: kept in it as a comment, so that two files differ.
	"""
	content, places = b"%PDF-1.4\n%" + words.encode() + b"\n", []
	for number, part in enumerate(PARTS, start=1):
		places.append(len(content))
		content += b"%d 0 obj %b endobj\n" % (number, part)
	table = b"".join(b"%010d 00000 n \n" % place for place in places)
	size = len(PARTS) + 1
	end = b"xref\n0 %d\n0000000000 65535 f \n%btrailer << /Size %d /Root 1 0 R >>\n" % (size, table, size)
	return content + end + b"startxref\n%d\n%%%%EOF\n" % len(content)
