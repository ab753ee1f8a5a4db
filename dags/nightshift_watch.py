"""### nightshift_watch in Airflow: may this morning's scores be used?

**`nightshift_watch`** runs every ten minutes and writes the table `readiness`: one row per use
case and target date, with the state, since when it is ready, and if it is not why.

| state | what it means |
|---|---|
| `ready` | published; `ready_at` says since when |
| `waiting` | not there yet, and `due_by` has not passed |
| `late` | not there, and `due_by` has passed; the reason names the stage that is missing |
| `held` | predicted, and outside the declared bounds; a person has to look |
| `failed` | a stage stopped the data day, or its source does not have it |

It looks at what is done, not at which runs there were: a night that never started becomes
`late` like one that hangs. Scoring writes the same rows when it ends; this run only keeps them
true in between.

*By hand*: Trigger, or by REST:

    POST /api/v2/dags/nightshift_watch/dagRuns
    {"logical_date": null, "conf": {}}

`./nightshift readiness` does the same and prints the last mornings.

*Dangers*: none; it reads, and writes `readiness` alone. While it is paused, nights that never
start do not become `late`.

*When it fails*: the log's last line names the use cases it could not look at; the rows of the
others are up to date. Held scores: `./nightshift release USE_CASE DAY --reason TEXT`.
"""

from include.orchestration.watch import watch_dag

watch = watch_dag(__doc__)
