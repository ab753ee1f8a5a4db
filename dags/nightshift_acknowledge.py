"""### nightshift_acknowledge in Airflow: known, and silent until a day.

**`nightshift_acknowledge`** silences an open incident: `nightshift_watch` tells nobody of it until
the day named, or until it is over. A drift that is silent asks for no training either. Who and why
are kept and shown by `./nightshift incidents`.

*By hand*: Trigger, fill in the form; or by REST:

    POST /api/v2/dags/nightshift_acknowledge/dagRuns
    {"logical_date": null,
     "conf": {"incident": 12, "until": "2013-10-14", "reason": "the source is being repaired"}}

`./nightshift acknowledge 12 --until 2013-10-14 --reason TEXT` does the same.

*Dangers*: silence hides what joins the same incident, such as another stopped day. It repairs
nothing: scores that are late or held stay so.

*When it fails*: the log's last line says why: no such open incident, or a day that has begun.
"""

from include.orchestration.acknowledging import acknowledge_dag

acknowledge = acknowledge_dag(__doc__)
