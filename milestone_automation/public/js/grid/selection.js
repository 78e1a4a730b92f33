// Which cells are selected, and where the keyboard is. Positions are [row, column]; row 0 is the head, column 0 the document.

export class Selection {
	constructor() {
		this.chosen = new Map();
		this.at = [1, 1];
		this.anchor = null;
	}

	// `cells` are { plan, stage, key_date }; those that stay selected come with `keep`.
	choose(cells, keep = false) {
		if (!keep) this.chosen.clear();
		cells.forEach((cell) => this.chosen.set(cell.stage, cell));
	}

	toggle(cell) {
		if (!this.chosen.delete(cell.stage)) this.chosen.set(cell.stage, cell);
	}

	clear() {
		this.chosen.clear();
		this.anchor = null;
	}

	cells() {
		return [...this.chosen.values()];
	}

	// After rows were read again: dates as they are now, without what cannot be moved any more.
	refresh(find) {
		for (const stage of [...this.chosen.keys()]) {
			const cell = find(stage);
			if (cell) this.chosen.set(stage, cell);
			else this.chosen.delete(stage);
		}
	}
}

export function range([row, column], [other_row, other_column]) {
	const between = (a, b) => Array.from({ length: Math.abs(a - b) + 1 }, (_, index) => Math.min(a, b) + index);
	return between(row, other_row).flatMap((r) => between(column, other_column).map((c) => [r, c]));
}

// Where a key leads; null for other keys.
export function moved([row, column], event, rows, columns) {
	const forward = frappe.utils.is_rtl() ? -1 : 1;
	const far = event.ctrlKey || event.metaKey;
	const steps = {
		ArrowUp: [far ? -row : -1, 0],
		ArrowDown: [far ? rows : 1, 0],
		ArrowLeft: [0, -forward],
		ArrowRight: [0, forward],
		PageUp: [-10, 0],
		PageDown: [10, 0],
		Home: [far ? -row : 0, -column],
		End: [far ? rows : 0, columns],
	};
	const step = steps[event.key];
	if (!step) return null;
	const within = (value, most) => Math.max(0, Math.min(most, value));
	return [within(row + step[0], rows), within(column + step[1], columns)];
}
