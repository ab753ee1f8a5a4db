"""### nightshift_watch in Airflow: what is wrong, and may this morning's scores be used?

**`nightshift_watch`** runs every ten minutes. It writes the table `readiness`, one row per use case
and target date:

| state | what it means |
|---|---|
| `ready` | published; `ready_at` says since when |
| `waiting` | not there yet, and `due_by` has not passed |
| `late` | not there, and `due_by` has passed; the reason names the stage that is missing |
| `held` | predicted, and outside the declared bounds; a person has to look |
| `failed` | a stage stopped the data day, or its source does not have it |

Then it opens, updates and ends the rows of `incidents`, one per cause, and tells people what is
new or over: one message per look and channel. The log is always a channel; e-mail and a webhook
are set up as in `docs/alerts.md`.

It looks at what is done, not at which runs there were: a night that never started is seen like one
that hangs.

*By hand*: Trigger, or by REST:

    POST /api/v2/dags/nightshift_watch/dagRuns
    {"logical_date": null, "conf": {}}

`./nightshift incidents` looks, lists and tells nobody; `./nightshift readiness` shows mornings.

*Dangers*: none; it writes `readiness` and incidents alone. While it is paused, nobody is told
anything.

*When it fails*: the log's last line names what it could not look at and which channel failed; all
else is up to date and told, and the next run tries again.
"""

from include.orchestration.watch import watch_dag

watch = watch_dag(__doc__)
