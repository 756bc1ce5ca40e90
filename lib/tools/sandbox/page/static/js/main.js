// The page is rendered on the server. This starts what keeps it up to date.
import "./forms.js";
import "./links.js";
import "./phones.js";
import { listen } from "./news.js";

listen();
