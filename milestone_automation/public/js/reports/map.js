// The process map: values as boxes, steps as arrows. Thick is frequent, red is slow; a slider hides what is rare.
import dagre from "@dagrejs/dagre";
import { esc } from "../panel/words";
import { picture, shorten, show, tag, text, width_of_report } from "./svg";

const BOX = { width: 150, height: 40 };
const DAYS = (days) => (days === null || days === undefined ? "" : __("{0} d", [Math.round(days * 10) / 10]));

// `address_of` returns the address of the documents behind a step.
export function draw_map(steps, address_of) {
	if (!steps.length) return;
	const counts = steps.map((step) => step.count).sort((a, b) => a - b);
	const slow = [...steps].map((step) => step.median || 0).sort((a, b) => a - b)[
		Math.floor(steps.length * 0.8)
	];
	const highest = counts[counts.length - 1];
	const least = rarest_shown(counts);
	const $picture = show(`
		<label class="milestone-muted milestone-slider">${__("Hide steps rarer than")}
			<input type="range" min="1" max="${highest}" value="${least}" aria-label="${__("Hide steps rarer than")}">
			<output>${least}</output>
		</label>
		<div class="milestone-map"></div>`);
	const redraw = (fewest) => {
		const shown = steps.filter((step) => step.count >= fewest);
		$picture.find("output").text(fewest);
		$picture.find(".milestone-map").html(draw(shown, highest, slow));
	};
	$picture.on("input", "input", (event) => redraw(Number(event.currentTarget.value)));
	$picture.on("click keydown", "[data-step]", (event) => {
		if (event.type === "keydown" && event.key !== "Enter") return;
		// A path of the Desk: its router takes it over with the filters.
		const step = steps[Number(event.currentTarget.dataset.step)];
		$(`<a href="${esc(address_of(step))}">`)
			.appendTo($picture)[0]
			.click();
	});
	steps.forEach((step, index) => (step.index = index));
	redraw(least);
}

// About thirty arrows are what people can follow.
function rarest_shown(counts) {
	return counts.length > 30 ? counts[counts.length - 30] : 1;
}

function draw(steps, highest, slow) {
	if (!steps.length) return `<p class="milestone-muted">${__("No step is that frequent.")}</p>`;
	const graph = layout(steps);
	const { width, height } = graph.graph();
	const arrows = graph.edges().map((edge) => draw_arrow(graph.edge(edge), highest, slow));
	const boxes = graph.nodes().map((name) => draw_box(graph.node(name)));
	const marker = tag(
		"defs",
		{},
		tag(
			"marker",
			{
				id: "milestone-arrow",
				viewBox: "0 0 8 8",
				refX: 7,
				refY: 4,
				markerWidth: 11,
				markerHeight: 11,
				orient: "auto",
				markerUnits: "userSpaceOnUse",
			},
			'<path d="M0 0L8 4L0 8Z" fill="context-stroke"></path>'
		)
	);
	return picture(
		Math.max(width + 20, Math.min(width_of_report(), 320)),
		height + 20,
		__("Process map with {0} steps", [steps.length]),
		tag("g", { transform: "translate(10 10)" }, marker + arrows.join("") + boxes.join(""))
	);
}

function layout(steps) {
	const graph = new dagre.graphlib.Graph({ multigraph: true });
	graph.setGraph({ rankdir: "TB", nodesep: 40, ranksep: 55, edgesep: 18 });
	for (const name of new Set(steps.flatMap((step) => [step.from_value, step.value]))) {
		// Documents begin at a value that none came to, and end at one that none left.
		const visits = Math.max(
			...["from_value", "value"].map((end) =>
				steps.filter((step) => step[end] === name).reduce((sum, step) => sum + step.count, 0)
			)
		);
		graph.setNode(name, { ...BOX, name, visits });
	}
	for (const step of steps) {
		graph.setEdge(
			step.from_value,
			step.value,
			{ step, width: 60, height: 16, labelpos: "c" },
			String(step.index)
		);
	}
	dagre.layout(graph);
	return graph;
}

function draw_box({ x, y, name, visits }) {
	return (
		tag("rect", {
			x: x - BOX.width / 2,
			y: y - BOX.height / 2,
			width: BOX.width,
			height: BOX.height,
			rx: 8,
			class: "milestone-box",
		}) +
		text(x, y - 2, shorten(name || __("(empty)"), 20), {
			class: "milestone-box-name",
			"text-anchor": "middle",
		}) +
		text(x, y + 13, __("{0} times", [visits]), { class: "milestone-axis", "text-anchor": "middle" })
	);
}

function draw_arrow({ points, step, x, y }, highest, slow) {
	const path = points.map((point, index) => `${index ? "L" : "M"}${point.x} ${point.y}`).join("");
	const thickness = 1 + 5 * Math.sqrt(step.count / highest);
	const is_slow = step.median > 0 && step.median >= slow;
	const title = __("{0} to {1}: {2} times, median {3}, 90 % within {4}", [
		step.from_value,
		step.value,
		step.count,
		DAYS(step.median),
		DAYS(step.p90),
	]);
	return tag(
		"g",
		{
			"data-step": step.index,
			"data-color": is_slow ? "red" : "gray",
			class: "milestone-step-arrow",
			tabindex: 0,
			role: "link",
			"aria-label": title,
		},
		tag("title", {}, esc(title)) +
			tag("path", {
				d: path,
				class: "milestone-arrow-line",
				"stroke-width": thickness.toFixed(1),
				"marker-end": "url(#milestone-arrow)",
			}) +
			text(x, y + 4, `${step.count} · ${DAYS(step.median)}`, {
				class: "milestone-arrow-label",
				"text-anchor": "middle",
			})
	);
}
