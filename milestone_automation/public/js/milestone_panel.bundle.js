import { Panel, listen, show_panel_on } from "./panel/panel";

Object.assign(milestone_automation, { Panel, show_panel_on });
listen();
