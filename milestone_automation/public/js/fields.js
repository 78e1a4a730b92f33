// Fields that dialogs of the panel and of lists share.
export const REACHED_ON = (today) => ({
	fieldname: "reached_on",
	fieldtype: "Date",
	label: __("Reached On"),
	default: today,
	reqd: 1,
	max_date: new Date(`${today}T00:00`),
	description: __("Today or a day in the past."),
});
