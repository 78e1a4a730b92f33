/* Builds the bundles of Frappe apps as `bench build` does: every `public/**\/*.bundle.{js,ts,css,scss}`.

   node build.js PLAN.json    with { apps: {name: public folder}, searched: [folders], modules: [folders], output: folder }
   Output goes to <output>/<app>/dist; the bundles' names into assets.json and assets-rtl.json beside it. */

const { createHash } = require("crypto");
const fs = require("fs");
const path = require("path");

const plan = JSON.parse(fs.readFileSync(process.argv[2], "utf-8"));
module.paths.unshift(...plan.modules);

const esbuild = require("esbuild");
const sass = require("sass");
const postcss = require("postcss");
const autoprefixer = require("autoprefixer");
const rtlcss = require("rtlcss");
const vue = require("@vue/compiler-sfc");

const STYLES = [".css", ".scss", ".sass"];
const SCRIPTS = [".js", ".ts", ".jsx"];
const SKIPPED = ["node_modules", "dist"];

function find_bundles(folder) {
	return fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
		const full = path.join(folder, entry.name);
		if (entry.isDirectory()) return SKIPPED.includes(entry.name) ? [] : find_bundles(full);
		return /\.bundle\.(js|ts|jsx|css|scss|sass)$/.test(entry.name) ? [full] : [];
	});
}

/** Entry points of one kind: "<app>/dist/<folder>/<bundle>" to file. */
function entries(extensions, folder) {
	const found = {};
	for (const [app, public_folder] of Object.entries(plan.apps)) {
		for (const file of fs.existsSync(public_folder) ? find_bundles(public_folder) : []) {
			const extension = path.extname(file);
			if (!extensions.includes(extension)) continue;
			found[`${app}/dist/${folder}/${path.basename(file, extension)}`] = file;
		}
	}
	return found;
}

/** `import "x.html"` makes a client-side template of that name. */
const html_templates = {
	name: "html-templates",
	setup(build) {
		build.onLoad({ filter: /\.html$/ }, ({ path: file }) => {
			const name = path.basename(file).split(".")[0];
			const text = fs.readFileSync(file, "utf-8").replace(/`/g, "\\`");
			return { contents: `frappe.templates['${name}'] = \`${text}\`;`, loader: "js" };
		});
	},
};

/** The date picker of the package registry has no seconds, which Frappe's own copy of it has: Time fields hide them. */
const time_without_seconds = {
	name: "time-without-seconds",
	setup(build) {
		build.onLoad({ filter: /controls[\\/]time\.js$/ }, ({ path: file }) => ({
			contents: fs
				.readFileSync(file, "utf-8")
				.replace("$tp.$seconds.parent()", "if (!$tp.$seconds) return;\n\t\t\t$tp.$seconds.parent()"),
			loader: "js",
		}));
	},
};

/** Single-file components; their styles are put into the page by the script. */
const vue_components = {
	name: "vue-components",
	setup(build) {
		build.onLoad({ filter: /\.vue$/ }, async ({ path: file }) => ({
			contents: await component_code(file),
			loader: "ts",
			resolveDir: path.dirname(file),
		}));
	},
};

async function component_code(file) {
	const { descriptor, errors } = vue.parse(fs.readFileSync(file, "utf-8"), { filename: file });
	if (errors.length) throw errors[0];
	const id = createHash("sha256")
		.update(path.basename(file))
		.update(descriptor.source)
		.digest("hex")
		.slice(0, 8);
	const scoped = descriptor.styles.some((style) => style.scoped);
	const parts = [
		component_script(descriptor, id, file, scoped),
		component_template(descriptor, id, file, scoped),
	];
	for (const style of descriptor.styles) {
		parts.push(`frappe.dom.set_style(${JSON.stringify(await component_style(style, id, file))});`);
	}
	if (scoped) parts.push(`component.__scopeId = "data-v-${id}";`);
	return [...parts, "export default component;"].join("\n");
}

function component_script(descriptor, id, file, scoped) {
	if (!descriptor.script && !descriptor.scriptSetup) return "const component = {};";
	const compilerOptions = { scopeId: scoped ? `data-v-${id}` : undefined };
	const options = {
		id,
		inlineTemplate: true,
		templateOptions: { id, filename: file, scoped, compilerOptions },
	};
	return vue.rewriteDefault(vue.compileScript(descriptor, options).content, "component", ["typescript"]);
}

function component_template(descriptor, id, file, scoped) {
	if (!descriptor.template || descriptor.scriptSetup) return "";
	const compilerOptions = { scopeId: scoped ? `data-v-${id}` : undefined };
	const source = descriptor.template.content;
	const { code, errors } = vue.compileTemplate({ source, filename: file, id, scoped, compilerOptions });
	if (errors.length) throw errors[0];
	return `${code.replace("export function render", "function render")}\ncomponent.render = render;`;
}

async function component_style(style, id, file) {
	const source = ["scss", "sass"].includes(style.lang) ? compile_sass(style.content, file) : style.content;
	const options = { source, filename: file, id: `data-v-${id}`, scoped: style.scoped };
	const { code, errors } = await vue.compileStyleAsync(options);
	if (errors.length) throw errors[0];
	return code;
}

/** Bootstrap's way of importing: "~package/file" from the modules, "file.css" taken in as text. */
function compile_sass(data, file) {
	return sass
		.renderSync({
			data,
			file,
			indentedSyntax: file.endsWith(".sass"),
			includePaths: [path.dirname(file), ...plan.modules, ...plan.searched],
			quietDeps: true,
			logger: sass.Logger.silent,
			importer: (url) => ({ file: url.replace(/^~/, "").replace(/\.css$/, "") }),
		})
		.css.toString();
}

/** `bench build` links the modules into an app's public folder, and Frappe 16 imports a stylesheet from there. */
const LINKED_MODULES = /^\w+\/public\/node_modules\//;

function module_file(url) {
	const files = plan.modules.map((folder) => path.join(folder, url.replace(LINKED_MODULES, "")));
	return files.find((file) => fs.existsSync(file)) || files[0];
}

const compiled = new Map();

function stylesheets(right_to_left) {
	return {
		name: "stylesheets",
		setup(build) {
			build.onResolve({ filter: /.*/ }, ({ kind, path: url }) =>
				kind === "url-token" || url.startsWith("/assets/") ? { path: url, external: true } : undefined
			);
			build.onResolve({ filter: LINKED_MODULES }, ({ path: url }) => ({ path: module_file(url) }));
			build.onLoad({ filter: /\.(css|scss|sass)$/ }, async ({ path: file }) => {
				if (!compiled.has(file)) compiled.set(file, compile_stylesheet(file));
				const plugins = right_to_left ? [rtlcss, autoprefixer] : [autoprefixer];
				const result = await postcss(plugins).process(compiled.get(file), { from: file, map: false });
				return { contents: result.css, loader: "css", resolveDir: path.dirname(file) };
			});
		},
	};
}

function compile_stylesheet(file) {
	const text = fs.readFileSync(file, "utf-8");
	return file.endsWith(".css") ? text : compile_sass(text, file);
}

function build(entry_points, plugins) {
	return esbuild.build({
		entryPoints: entry_points,
		entryNames: "[dir]/[name].[hash]",
		outdir: plan.output,
		plugins,
		bundle: true,
		minify: true,
		metafile: true,
		target: ["es2017"],
		nodePaths: [...plan.modules, ...plan.searched],
		logLevel: "error",
		define: {
			"process.env.NODE_ENV": '"production"',
			__VUE_OPTIONS_API__: "true",
			__VUE_PROD_DEVTOOLS__: "false",
		},
	});
}

function addresses({ metafile }, prefix = "") {
	const found = {};
	for (const [file, { entryPoint }] of Object.entries(metafile.outputs)) {
		if (!entryPoint || file.endsWith(".map")) continue;
		const name = path
			.basename(entryPoint)
			.replace(/\.(scss|sass)$/, ".css")
			.replace(/\.(ts|jsx)$/, ".js");
		found[prefix + name] = "/assets/" + path.relative(plan.output, file).split(path.sep).join("/");
	}
	return found;
}

function update(name, found) {
	const file = path.join(plan.output, name);
	const before = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, "utf-8")) : {};
	fs.writeFileSync(`${file}.partial`, JSON.stringify({ ...before, ...found }, null, 1));
	fs.renameSync(`${file}.partial`, file);
}

async function main() {
	const [scripts, left, right] = await Promise.all([
		build(entries(SCRIPTS, "js"), [html_templates, time_without_seconds, vue_components]),
		build(entries(STYLES, "css"), [stylesheets(false)]),
		build(entries(STYLES, "css-rtl"), [stylesheets(true)]),
	]);
	update("assets.json", { ...addresses(scripts), ...addresses(left) });
	update("assets-rtl.json", addresses(right, "rtl_"));
	const count = Object.keys(addresses(scripts)).length + Object.keys(addresses(left)).length;
	console.log(`${count} bundles built`);
}

main().catch((error) => {
	console.error(error.errors ? error.message : error);
	process.exit(1);
});
