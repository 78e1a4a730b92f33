// What the check of the server finds wrong, on the card or row that it is about. The sentences are HTML of the server.
export const problem_list = (problems) =>
	problems && problems.length
		? `<div class="milestone-problems" role="alert"><ul>${problems
				.map((one) => `<li>${one}</li>`)
				.join("")}</ul></div>`
		: "";
