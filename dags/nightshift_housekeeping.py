"""### nightshift_housekeeping in Airflow: what is kept, and for how long.

**`nightshift_housekeeping`** runs on Sunday at 05:00 UTC. As the declarations say (`retention`
of datasets and use cases; `docs/retention.md` has the table), it

- merges the small files of lake tables, and removes files that no version kept needs;
- deletes superseded scores, held rows nobody decided about, and reports that are too old;
- removes what dead processes left: staging tables, spools, notes of lock holders;
- lets the database tidy itself up.

What the champion, the last champions and unexpired scores were read from stays. A table that a
stage is just writing is left for next time.

*By hand*: Trigger, or by REST:

    POST /api/v2/dags/nightshift_housekeeping/dagRuns
    {"logical_date": null, "conf": {}}

`./nightshift housekeeping` does the same; with `--dry-run` it only says what it would do.

*Dangers*: what it removes comes back from a backup only. A shorter `retention` takes effect with
the next run. While it is paused nothing is lost, and lake and warehouse grow.

*When it fails*: the log's last line names the pieces that could not be done and why; all others
are done. Running it again is safe.
"""

from include.orchestration.housekeeping import housekeeping_dag

housekeeping = housekeeping_dag(__doc__)
