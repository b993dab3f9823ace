// MLflow's clients print SITE/#/experiments/E/runs/R: on to the page that is meant, after signing in
// where that comes first.
(() => {
  const found = /^#\/experiments\/(\d{1,18})(?:\/runs\/([\w-]{1,256}))?/.exec(location.hash);
  if (!found) return;
  const [, experiment, run] = found;
  const path = `/mlflow/experiments/${experiment}${run ? `/runs/${run}` : ""}`;
  const next = document.querySelector(".sign-in [name=next]");
  if (next) next.value = path;
  else location.replace(path);
})();
