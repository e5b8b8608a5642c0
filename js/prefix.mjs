/** File names as the host's own save nodes send them: `%date:yyyy-MM-dd%` and `%Node.widget%` are filled in at each run,
 * and the widget, like the saved workflow, keeps the pattern. */

const NAME = "filename_prefix";
let saver; // the widget of a SaveImage that is in no graph

const nameOf = (node) => node?.widgets?.find(({ name }) => name === NAME);

/** The text as the host's SaveImage would send it; as it is where that cannot tell. */
function filledIn(text, create) {
  saver ??= nameOf(create("SaveImage"));
  if (!saver?.serializeValue) return text;
  saver.value = text;
  return saver.serializeValue();
}

/** Have the node's file name filled in when it is sent. `host` has create(type). */
export function fillIn(node, host) {
  const widget = nameOf(node);
  if (!widget) return;
  widget.serializeValue = () => {
    const { value } = widget;
    return typeof value === "string" && value.includes("%") ? filledIn(value, host.create) : value;
  };
}
