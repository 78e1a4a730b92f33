import { Grid } from "./grid/grid";
import { shift } from "./grid/shift";

Object.assign(milestone_automation, { Grid, shift });
