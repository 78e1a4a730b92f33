import { Builder } from "./builder/builder";
import * as workflow_files from "./builder/files";
import { preview } from "./builder/preview";
import { compare } from "./builder/versions";

Object.assign(milestone_automation, {
	Builder,
	preview_workflow: preview,
	workflow_files: { ...workflow_files, compare },
});
