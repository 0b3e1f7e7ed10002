// The page: its frame, and which view is in it.
import { render } from "preact";
import { App } from "./app";
import { keepLive } from "./live";
import { keepTheme } from "./theme";

keepTheme();
keepLive();
render(<App />, document.getElementById("app")!);
