// How high the pictures of reports are: known before what draws them is loaded, see `drawing` in filters.js.
export const ROW = 34;
export const TOP = 38;
export const MOST_ROWS = 150;
// The line that says how many are left out.
const MORE = 18;

// For a number of rows. The map is a guess: nobody knows before its steps are laid out.
export const heights = {
	timeline: (rows) => TOP + Math.min(rows, MOST_ROWS) * ROW + 8 + (rows > MOST_ROWS ? MORE : 0),
	aging: () => 320,
	trend: () => 360,
	map: () => 360,
};
