"""Texts of messages: `compose` writes a `Letter` in the language of its recipient."""

from dataclasses import dataclass, field
from datetime import date

import frappe
from frappe import _
from frappe.utils import get_url_to_form

from milestone_automation.engine.base import languages
from milestone_automation.engine.people import criterion_texts, requesters, signed_links
from milestone_automation.engine.people.directory import Recipient
from milestone_automation.engine.people.signed_links import Purpose
from milestone_automation.engine.rules import criteria, schedule
from milestone_automation.engine.rules.criteria import CriterionState, Verdict
from milestone_automation.engine.rules.vocabulary import MessageKind, PlanEvent
from milestone_automation.engine.workflows import custom_messages, shown_fields

ANSWER_PAGE = "milestone-answer"
TASK_PAGE = "milestone-task"
PORTAL_PAGE = "milestones"
OWN_REASONS = ("owner", "assignee", "proposer")
TASK_MESSAGES = (MessageKind.TASK_DUE, MessageKind.TASK_OVERDUE, MessageKind.BLOCKED)


@dataclass
class Letter:
	"""One message to one person about one plan.

	Attributes:
		kind: kind of the message.
		recipient: who gets it.
		plan, stage: rows of the plan and the stage.
		day: date of the message in the recipient's time zone.
		reason: why this person gets it ("owner", "notify", "assignee", "escalation", "substitute"), and the role for an
			escalation.
		tasks: rows of its tasks, or of the tasks that block the stage; each with `people`, the names of its assignees.
		criteria: verdicts of the exit criteria of the stage, and of those of earlier stages that block it.
		keys: (key, name of the task or None) of each of its messages.
		occurrence: number of the reminder; 0 for other messages.
		may_answer: whether the recipient may answer for the stage.
		owners: names of the people who may answer.
		askers: names of those of them who work here, without the recipient.
		previous_stage: name of the reached stage before, for a missing date.
		log: row of the plan's log that a notice is about.
	"""

	kind: MessageKind
	recipient: Recipient
	plan: dict
	stage: dict
	day: date
	reason: tuple[str, str] = ("owner", "")
	tasks: list = field(default_factory=list)
	criteria: list = field(default_factory=list)
	keys: list = field(default_factory=list)
	occurrence: int = 0
	may_answer: bool = False
	owners: list = field(default_factory=list)
	askers: list = field(default_factory=list)
	previous_stage: str = ""
	log: dict | None = None

	@property
	def document(self) -> str:
		"""DocType and name of the document, translated."""
		return f"{_(self.plan['reference_type'])} {self.plan['reference_name']}"

	@property
	def key_date(self) -> date | None:
		"""Key date of the stage."""
		return schedule.as_day(self.stage.get("key_date"))


@dataclass
class Content:
	"""The texts of a message in the recipient's language, for the templates.

	Attributes:
		subject: subject and heading.
		paragraphs: plain text.
		custom_html: the workflow's custom message as safe HTML.
		facts: (label, value) pairs.
		about: (label, text) pairs of the document that somebody from outside is shown; only their mail has them.
		criteria: exit criteria, each with its tick, as sentences under `criteria_heading`.
		tasks: dicts with title, description, due, people, url.
		tasks_heading: sentence above the tasks, if they do not follow the paragraphs.
		buttons: dicts with label, url, is_main.
		reason: why the recipient gets it.
		is_own: whether it is about something that the recipient is to do, not only to know.
	"""

	subject: str
	paragraphs: list = field(default_factory=list)
	custom_html: str = ""
	facts: list = field(default_factory=list)
	about: list = field(default_factory=list)
	criteria_heading: str = ""
	criteria: list = field(default_factory=list)
	tasks: list = field(default_factory=list)
	tasks_heading: str = ""
	buttons: list = field(default_factory=list)
	reason: str = ""
	is_own: bool = False

	@property
	def custom_text(self) -> str:
		"""The workflow's custom message as plain text."""
		return custom_messages.as_text(self.custom_html)


# Texts


def compose(letter: Letter) -> Content:
	"""Return the texts of a letter in its recipient's language.

	Args:
		letter: with all that its kind needs, as `drafts` makes it.

	Raises:
		KeyError: no text is known for its kind.
	"""
	with languages.in_language(letter.recipient.language):
		content = _COMPOSERS[letter.kind](letter)
		if letter.criteria and letter.kind not in TASK_MESSAGES:
			content.criteria_heading = _("Exit criteria:")
			content.criteria = [_criterion(letter, verdict) for verdict in letter.criteria]
		if not letter.recipient.is_desk_user:
			_add_for_outside(letter, content)
		content.reason = _reason(letter)
		content.is_own = letter.reason[0] in OWN_REASONS
		if letter.recipient.is_desk_user and letter.kind not in TASK_MESSAGES:
			content.buttons.append(_open_document(letter))
	return content


def _add_for_outside(letter: Letter, content: Content) -> None:
	"""Say what somebody needs to know who cannot open the document: who asks, and the fields that the workflow shows."""
	if who := _requested_by(letter):
		content.facts.append((_("Requested By"), who))
	document = (letter.plan["reference_type"], str(letter.plan["reference_name"]))
	content.about = shown_fields.of_plans([letter.plan]).get(document, [])


def _requested_by(letter: Letter) -> str:
	"""Return who asks somebody from outside: the owners of the milestone who work here, else who created the document."""
	row = {name: letter.plan[name] for name in ("reference_type", "reference_name")}
	(asker,) = requesters.of_rows([row])
	people = letter.askers or [asker.person]
	return ", ".join(name for name in (*people, asker.company) if name)


def _criterion(letter: Letter, verdict: Verdict) -> str:
	"""Return an exit criterion with its tick. No field is named that the recipient may not read."""
	doctype = letter.plan["reference_type"]
	text = criterion_texts.describe(
		verdict.criterion, doctype, letter.recipient.user or criterion_texts.ANYBODY
	)
	if not verdict.criterion.required:
		text = _("{0} (optional)").format(text)
	if verdict.state is CriterionState.WAIVED:
		text = _("{0} (waived)").format(text)
	is_settled = verdict.state in (CriterionState.MET, CriterionState.WAIVED)
	return f"{'✓' if is_settled else '✗'} {text}"


def _unmet(letter: Letter) -> int:
	return len(criteria.blocking(letter.criteria))


def _prompt(letter: Letter) -> Content:
	content = Content(_("Has {0} been reached? {1}").format(_stage(letter), letter.document))
	content.custom_html = _custom_message(letter)
	content.paragraphs = [_when(letter), *_how_to_answer(letter)]
	content.buttons = _answer_buttons(letter)
	return content


def _reminder(letter: Letter) -> Content:
	content = _prompt(letter)
	content.subject = _("Reminder: has {0} been reached? {1}").format(_stage(letter), letter.document)
	content.paragraphs.insert(
		0, _("This is reminder {0}; nobody has answered yet.").format(letter.occurrence)
	)
	return content


def _when(letter: Letter) -> str:
	if letter.key_date == letter.day:
		return _("The key date of {0} is today, {1}.").format(
			_stage(letter), languages.day_text(letter.key_date)
		)
	return _("The key date of {0} was {1}.").format(_stage(letter), languages.day_text(letter.key_date))


def _how_to_answer(letter: Letter) -> list[str]:
	if letter.may_answer:
		return [
			_(
				"Please answer with one of the buttons. A page opens and asks you to confirm before anything changes."
			)
		]
	if letter.owners:
		return [_("{0} has been asked. You do not need to do anything.").format(", ".join(letter.owners))]
	return []


def _blocked(letter: Letter) -> Content:
	subject = (
		_("Reminder: {0} of {1} is waiting for your tasks")
		if letter.occurrence
		else _("{0} of {1} is waiting for your tasks")
	)
	content = Content(subject.format(_stage(letter), letter.document))
	content.paragraphs = [
		_("The key date of {0} has come ({1}), and it cannot be reached until these tasks are done:").format(
			_stage(letter), languages.day_text(letter.key_date)
		)
	]
	# First, so that the tasks follow the sentence that announces them; nobody waits for themselves.
	if others := [owner for owner in letter.owners if owner != letter.recipient.full_name]:
		content.paragraphs.insert(0, _("{0} is waiting for them.").format(", ".join(others)))
	content.tasks = _tasks_with_links(letter)
	return content


def _blocked_owner(letter: Letter) -> Content:
	subject = _("{0} of {1} is blocked")
	if letter.tasks:
		subject = _("{0} of {1} is blocked by open tasks")
	elif letter.criteria:
		subject = _("{0} of {1} is blocked by its exit criteria")
	if letter.occurrence:
		subject = (
			_("Reminder: {0} of {1} is blocked by its exit criteria")
			if letter.criteria
			else _("Reminder: {0} of {1} is blocked")
		)
	content = Content(subject.format(_stage(letter), letter.document))
	content.paragraphs = [_when(letter), *_why_blocked(letter)]
	content.tasks = _open_tasks(letter)
	return content


def _why_blocked(letter: Letter) -> list[str]:
	sentences = []
	if letter.tasks:
		sentences.append(
			_("It cannot be reached while these required tasks are open. Their assignees have been told.")
		)
	elif not letter.criteria:
		sentences.append(_("It cannot be reached yet: something that comes before it is still open."))
	if _unmet(letter):
		sentences.append(_("It cannot be reached until its required exit criteria are met or waived."))
	if not letter.may_answer:
		return sentences
	then = (
		_("As soon as they are, you will be asked whether {0} has been reached.")
		if _unmet(letter)
		else _("As soon as the last one is done, you will be asked whether {0} has been reached.")
	)
	return [*sentences, then.format(_stage(letter))]


def _task_due(letter: Letter) -> Content:
	if len(letter.tasks) == 1:
		task = letter.tasks[0]
		subject = _("Task due on {0}: {1}").format(
			languages.day_text(schedule.as_day(task.due_date)), task.title
		)
	else:
		subject = _("{0} tasks of {1} are due soon").format(len(letter.tasks), letter.document)
	content = Content(subject)
	content.paragraphs = [_("These tasks of {0} are due soon:").format(letter.document)]
	if len(letter.tasks) == 1:
		content.paragraphs = [_("This task of {0} is due soon:").format(letter.document)]
	content.tasks = _tasks_with_links(letter)
	return content


def _task_overdue(letter: Letter) -> Content:
	if len(letter.tasks) == 1:
		task = letter.tasks[0]
		subject = _("Task overdue since {0}: {1}").format(
			languages.day_text(schedule.as_day(task.due_date)), task.title
		)
		paragraph = _("This task of {0} is overdue:").format(letter.document)
	else:
		subject = _("{0} tasks of {1} are overdue").format(len(letter.tasks), letter.document)
		paragraph = _("These tasks of {0} are overdue:").format(letter.document)
	return Content(subject, [paragraph], tasks=_tasks_with_links(letter))


def _escalation(letter: Letter) -> Content:
	days = (letter.day - letter.key_date).days
	subject = _("{0} of {1} is one day overdue") if days == 1 else _("{0} of {1} is {2} days overdue")
	content = Content(subject.format(_stage(letter), letter.document, days))
	content.paragraphs = [
		_("{0} should have been reached by {1}.").format(_stage(letter), languages.day_text(letter.key_date))
	]
	if letter.tasks:
		content.tasks_heading = _("These required tasks are open:")
	elif letter.stage.get("prompted_on") and not _unmet(letter):
		content.paragraphs.append(_("No task blocks it. Its owner was asked and has not answered."))
	content.facts = [(_("Owner"), ", ".join(letter.owners) or _("Nobody"))]
	if letter.stage.get("prompted_on"):
		content.facts.append(
			(_("Asked on"), languages.day_text(schedule.as_day(letter.stage.get("prompted_on"))))
		)
	content.tasks = _open_tasks(letter)
	content.buttons = _answer_buttons(letter)
	return content


def _no_next_date(letter: Letter) -> Content:
	content = Content(_("{0} of {1} has no date yet").format(_stage(letter), letter.document))
	sentence = _("{0} has been reached. {1} comes next, and it has no key date.")
	if not letter.previous_stage:
		sentence = _("{1} comes next, and it has no key date.")
	content.paragraphs = [sentence.format(letter.previous_stage, _stage(letter))]
	if letter.may_answer:
		content.paragraphs.append(_("Please set one, so that everybody knows when it is due."))
		content.buttons = [_answer_button(letter, _("Set the date"), "no", True)]
	return content


def _warning(letter: Letter) -> Content:
	content = Content(_("{0} of {1} is at risk").format(_stage(letter), letter.document))
	if letter.tasks:
		sentence = _("Its key date is {0}, and these required tasks are still open:")
	elif letter.criteria:
		sentence = _("Its key date is {0}, and not all of its exit criteria are met.")
	else:
		sentence = _("Its key date is {0}, and something that comes before it is still open.")
	content.paragraphs = [sentence.format(languages.day_text(letter.key_date))]
	content.tasks = _open_tasks(letter)
	return content


def _check_in(letter: Letter) -> Content:
	content = Content(_("Is {0} still on track? {1}").format(_stage(letter), letter.document))
	content.paragraphs = [
		_("Its key date is {0}.").format(languages.day_text(letter.key_date)),
		*_how_to_answer(letter),
	]
	if letter.tasks:
		content.tasks_heading = _("These required tasks are open:")
	content.tasks = _open_tasks(letter)
	if letter.may_answer:
		content.buttons = [
			_answer_button(letter, _("Yes, it is on track"), "on_track", True),
			_answer_button(letter, _("It needs another date"), "no", False),
			_answer_button(letter, _("It has been reached"), "yes", False),
		]
	return content


def _reason(letter: Letter) -> str:
	"""Return the sentence that says why the recipient gets the message."""
	reason, name = letter.reason
	if reason == "escalation":
		return _("You get this message because you have the role {0}.").format(_(name))
	return {
		"owner": _("You get this message because you own this milestone."),
		"notify": _("You get this message because this milestone's workflow notifies you."),
		"assignee": _("You get this message because these tasks are assigned to you."),
		"proposer": _("You get this message because you proposed this date."),
		"substitute": _("You get this message because this milestone has no owner who can be asked."),
	}[reason]


def _proposal(letter: Letter) -> Content:
	who, _colon, day = letter.log["details"].rpartition(": ")
	content = Content(_("A date is proposed for {0} of {1}").format(_stage(letter), letter.document))
	content.paragraphs = [_("Accept, change or decline it in the plan.")]
	content.facts = [
		(_("Proposed Date"), languages.day_text(schedule.as_day(day))),
		(_("Proposed By"), who),
		(_("Reason"), letter.log["reason"]),
	]
	return content


def _decision(letter: Letter) -> Content:
	day = languages.day_text(schedule.as_day(letter.log["details"]))
	if letter.log["event"] == PlanEvent.DATE_ACCEPTED:
		content = Content(_("Your date for {0} of {1} was accepted").format(_stage(letter), letter.document))
		content.paragraphs = [_("It is now expected on {0}.").format(day)]
		return content
	content = Content(_("Your date for {0} of {1} was declined").format(_stage(letter), letter.document))
	content.paragraphs = [_("You proposed {0}. The date stays as it was.").format(day)]
	content.facts = [(_("Reason"), letter.log["reason"])]
	return content


def _handed_over(letter: Letter) -> Content:
	who = letter.log["handed_over_by"]
	if letter.tasks:
		content = Content(_("A task of {0} is handed over to you").format(letter.document))
		content.paragraphs = [_("{0} has handed this task over to you:").format(who)]
		content.tasks = _tasks_with_links(letter)
		return content
	content = Content(_("{0} of {1} is handed over to you").format(_stage(letter), letter.document))
	content.paragraphs = [_("{0} has handed {1} over to you.").format(who, _stage(letter))]
	if letter.key_date:
		content.paragraphs.append(_("Its key date is {0}.").format(languages.day_text(letter.key_date)))
	content.buttons = [_answer_button(letter, _("Answer"), "on_track", True)]
	return content


def _notice(letter: Letter) -> Content:
	if letter.log["event"] == PlanEvent.DATE_PROPOSED:
		return _proposal(letter)
	if letter.log["event"] in (PlanEvent.DATE_ACCEPTED, PlanEvent.DATE_DECLINED):
		return _decision(letter)
	if letter.log["event"] in (PlanEvent.TASK_HANDED_OVER, PlanEvent.MILESTONE_HANDED_OVER):
		return _handed_over(letter)
	day = languages.day_text(schedule.as_day(letter.log["done_on"]))
	if letter.log["event"] == PlanEvent.GATE_FAILED:
		content = Content(_("The gate of {0} could not be checked").format(letter.document))
		content.paragraphs = [
			_("An error stopped the check on {0}, so the document was saved without it.").format(day),
			_("The Error Log has the details. Please check whether required tasks are still open."),
		]
		return content
	if letter.log["event"] == PlanEvent.NEXT_STEP_STOPPED:
		content = Content(_("A next step of the workflow {0} fails").format(letter.plan["workflow"]))
		content.paragraphs = [
			_(
				"It failed for several documents in a row, last for {0} on {1}, so it waits for a day now."
			).format(letter.document, day),
			_(
				"Mend its cause, then use Run Again in Milestone Next Step; the other documents follow by themselves."
			),
		]
		content.facts = [(_("Next Step"), letter.log["details"])]
		return content
	if letter.log["event"] == PlanEvent.REACHED_WITHOUT_CRITERIA:
		content = Content(
			_("{0} of {1} was reached without its exit criteria").format(_stage(letter), letter.document)
		)
		content.paragraphs = [_found_past_the_gate(day)]
		content.facts = [(_("Exit Criteria Not Met"), letter.log["details"])]
		return content
	is_out_of_order = letter.log["event"] == PlanEvent.REACHED_OUT_OF_ORDER
	content = Content(
		_("{0} of {1} was reached out of order").format(_stage(letter), letter.document)
		if is_out_of_order
		else _("{0} of {1} was reached without its required tasks").format(_stage(letter), letter.document)
	)
	content.paragraphs = [_found_past_the_gate(day)]
	label = _("Not Reached Yet") if is_out_of_order else _("Open Required Tasks")
	content.facts = [(label, letter.log["details"])]
	return content


def _found_past_the_gate(day: str) -> str:
	return _(
		"This was found on {0}. The value was set past the gate, for example directly in the database."
	).format(day)


_COMPOSERS = {
	MessageKind.PROMPT: _prompt,
	MessageKind.REMINDER: _reminder,
	MessageKind.BLOCKED: _blocked,
	MessageKind.BLOCKED_OWNER: _blocked_owner,
	MessageKind.TASK_DUE: _task_due,
	MessageKind.TASK_OVERDUE: _task_overdue,
	MessageKind.ESCALATION: _escalation,
	MessageKind.NO_NEXT_DATE: _no_next_date,
	MessageKind.WARNING: _warning,
	MessageKind.CHECK_IN: _check_in,
	MessageKind.NOTICE: _notice,
}


def joined(*sentences: str | None) -> str:
	"""Join sentences with spaces, without empty ones."""
	return " ".join(sentence for sentence in sentences if sentence)


def _stage(letter: Letter) -> str:
	return _(letter.stage["stage_name"])


def _custom_message(letter: Letter) -> str:
	text = letter.stage.get("custom_message")
	if not text or not text.strip():
		return ""
	doc = frappe.get_doc(letter.plan["reference_type"], letter.plan["reference_name"])
	return custom_messages.render(text, doc, letter.stage)


def _answer_buttons(letter: Letter) -> list[dict]:
	if not letter.may_answer:
		return []
	return [
		_answer_button(letter, _("Yes, it has been reached"), "yes", True),
		_answer_button(letter, _("Not yet"), "no", False),
	]


def _answer_button(letter: Letter, label: str, answer: str, is_main: bool) -> dict:
	key_date = str(letter.stage.get("key_date") or "")
	token = signed_links.make_token(Purpose.ANSWER, letter.stage["name"], letter.recipient.identity, key_date)
	url = signed_links.url(ANSWER_PAGE, token, answer=answer)
	return {"label": label, "url": url, "is_main": is_main}


def _open_document(letter: Letter) -> dict:
	url = get_url_to_form(letter.plan["reference_type"], letter.plan["reference_name"])
	return {"label": _("Open {0}").format(letter.document), "url": url, "is_main": not letter.may_answer}


def _tasks_with_links(letter: Letter) -> list[dict]:
	"""Return the recipient's tasks, each with a signed link to its page."""
	rows = _open_tasks(letter)
	for row, task in zip(rows, letter.tasks, strict=True):
		token = signed_links.make_token(Purpose.TASK, task.name, letter.recipient.identity)
		row.update(url=signed_links.url(TASK_PAGE, token), link_label=_("Open task"), people="")
		row["description"] = task.description or ""
	return rows


def _open_tasks(letter: Letter) -> list[dict]:
	return [
		{
			"title": task.title,
			"due": _("due on {0}").format(languages.day_text(schedule.as_day(task.due_date)))
			if task.due_date
			else "",
			"people": ", ".join(task.get("people") or []) or _("nobody assigned"),
			"description": "",
			"url": "",
		}
		for task in letter.tasks
	]
