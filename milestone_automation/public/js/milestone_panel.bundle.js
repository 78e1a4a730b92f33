import { Board } from "./panel/board";
import { MyWork } from "./panel/my_work";
import { Panel, listen, show_panel_on } from "./panel/panel";

Object.assign(milestone_automation, { Board, MyWork, Panel, show_panel_on });
listen();
