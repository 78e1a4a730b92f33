import { Grid } from "./grid/grid";

Object.assign(milestone_automation, { Grid });
