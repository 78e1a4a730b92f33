// The place of the panel on a form, reserved at once, before the panel itself is loaded: the form does not jump.
const STRIP_HEIGHT = 44;

// A strip at first; what the user opened for a DocType stays open there, with the height it had.
export const place_key = (doctype) => `milestone-panel:${frappe.session.user}:${doctype}`;

function stored(doctype) {
	const [state, height] = cstr(localStorage.getItem(place_key(doctype))).split(":");
	return { is_open: state === "open", height: cint(height) };
}

export const is_open = (doctype) => stored(doctype).is_open;

export function remember(doctype, opened, height = 0) {
	localStorage.setItem(place_key(doctype), opened ? `open:${Math.round(height)}` : "strip");
}

export function reserved_height(doctype) {
	const { is_open, height } = stored(doctype);
	return is_open ? Math.max(height, STRIP_HEIGHT) : STRIP_HEIGHT;
}

export function reserve(frm) {
	if (!frm.$milestone_place) {
		frm.$milestone_place = $('<div class="milestone-panel"></div>');
		frm.$milestone_place.attr({ role: "region", "aria-label": __("Milestones") });
		frm.$milestone_place.insertBefore(frm.layout.page);
		frm.$milestone_place.css("min-height", reserved_height(frm.doctype));
	}
	if (frm.is_new()) frm.$milestone_place.hide();
	else if (!frm.milestone_panel) frm.$milestone_place.show();
	return frm.$milestone_place;
}
