// The pictures of reports, and the export of their milestones.
import { draw_aging } from "./reports/aging";
import { export_log } from "./reports/export_log";
import { draw_map } from "./reports/map";
import { draw_timeline } from "./reports/timeline";
import { draw_trend } from "./reports/trend";

frappe.provide("milestone_automation");
milestone_automation.reports = { draw_aging, draw_map, draw_timeline, draw_trend, export_log };
