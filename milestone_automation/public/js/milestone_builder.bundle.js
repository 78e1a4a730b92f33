import { Builder } from "./builder/builder";
import { preview } from "./builder/preview";

Object.assign(milestone_automation, { Builder, preview_workflow: preview });
