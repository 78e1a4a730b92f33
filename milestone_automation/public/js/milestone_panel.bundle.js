import { Board } from "./panel/board";
import { MyWork } from "./panel/my_work";
import { Panel, listen, show_panel_on } from "./panel/panel";
import { confirm_again, show_refusal } from "./panel/refusal";

Object.assign(milestone_automation, { Board, MyWork, Panel, confirm_again, show_panel_on, show_refusal });
listen();
