// Uses the types that openapi-typescript makes of the server's description, with openapi-fetch: generated.js URL KEY PDF.
import { readFileSync } from "node:fs";
import createClient from "openapi-fetch";
import type { components, paths } from "./bindery.js";

const [url, key, path] = process.argv.slice(2) as [string, string, string];
const client = createClient<paths>({ baseUrl: url, headers: { authorization: `Bearer ${key}` } });
const pdf = readFileSync(path);

function check(holds: boolean, what: unknown): asserts holds {
  if (!holds) throw new Error(JSON.stringify(what));
}

type Options = NonNullable<paths["/v1/tasks"]["post"]["parameters"]["query"]>;
// @ts-expect-error: the words that an option takes are known.
export const misspelt: Options = { tables: "htm" };

const sent = await client.POST("/v1/tasks", {
  params: { query: { processor: "text", tables: "html", keep_headers: true, wait: 60 } },
  headers: { "content-type": "application/pdf" },
  body: pdf as unknown as string,
  bodySerializer: () => pdf,
});
const task: components["schemas"]["TaskView"] | undefined = sent.data;
check(task?.status === "completed" && task.pages.done === 3, sent);

const id = task.id;
const result = await client.GET("/v1/tasks/{id}/result", { params: { path: { id } }, parseAs: "text" });
check(result.data?.includes("page 3") === true, result);
const picture = await client.GET("/v1/tasks/{id}/pages/{page}/image", { params: { path: { id, page: 2 } }, parseAs: "blob" });
check(picture.data?.type === "image/png", picture);

const refused = await client.POST("/v1/tasks", {
  params: { query: { image_side: 5 } },
  headers: { "content-type": "application/pdf" },
  body: pdf as unknown as string,
  bodySerializer: () => pdf,
});
check(refused.error?.code === "bad_option", refused);
console.log("all is as described");
