import { loadModel } from "rushlight";
import { answer } from "./answer.js";
import { mount } from "./component.js";

globalThis.answer = (options) => answer(loadModel, options);
globalThis.mount = mount;
