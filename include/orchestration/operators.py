"""Airflow's operators that wait for a person and start other DAGs, fitted to the nights.

Both skip themselves when there is nothing to do, so that no task of its own, which is a
process, is needed to decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator, HITLOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk.exceptions import AirflowSkipException

PROPOSED = "proposed"
"""The verdict of a training that waits for a person."""

ANSWER_AGAIN_AFTER = timedelta(seconds=5)


class Approval(ApprovalOperator):
    """Asks whether a proposed model may serve, and hands the answer on whatever it is.

    Airflow's operator skips what follows a rejection and forgets who rejected; here every
    answer has to reach the ledger, a time-out included. The answer is small: `approved`
    (None when nobody answered), `by` and `reason`.

    Args:
        trained: what the training returned: `verdict`, `version`, `as_of` and `brief`.
        hours: how long the answer may take.
        params: the form of the answer; `reason` goes into the ledger.
    """

    template_fields = (*ApprovalOperator.template_fields, "trained")

    def __init__(self, *, trained: Any, hours: float, **arguments: Any) -> None:
        super().__init__(
            defaults=self.REJECT,
            # Not the execution time-out, which is about the process that asks.
            response_timeout=timedelta(hours=hours),
            # Airflow may take an answer given while the asking process ends for a failure of
            # that process; it is then asked again. An impatient person may hit it repeatedly.
            retries=5,
            retry_delay=ANSWER_AGAIN_AFTER,
            **arguments,
        )
        self.trained = trained

    def execute(self, context: Any) -> Any:
        """Ask and wait; skips when the gate did not propose the model."""
        if self.trained["verdict"] != PROPOSED:
            raise AirflowSkipException(
                f"nobody is asked: version {self.trained['version']} was {self.trained['verdict']}"
            )
        return super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> dict[str, Any]:
        """Return the answer; skips nothing."""
        answer = HITLOperator.execute_complete(self, context, event)
        user = answer["responded_by_user"]
        agreed = answer["chosen_options"] == [self.APPROVE]
        self.hitl_summary_extra["approved"] = agreed
        return {
            "approved": None if event.get("timedout") else agreed,
            "by": None if user is None else user["name"] or user["id"],
            "reason": str(answer["params_input"].get("reason") or ""),
        }


class RetrainingRequest(TriggerDagRunOperator):
    """Starts the training that monitoring asks for; one per night, however often it is repeated.

    Args:
        night: what the monitoring task returned; under `retrain` the reason in words if it asks
            for a training, and under `day` as of which.
    """

    template_fields = (*TriggerDagRunOperator.template_fields, "night")

    def __init__(self, *, night: Any, **arguments: Any) -> None:
        super().__init__(
            logical_date=None,
            skip_when_already_exists=True,
            wait_for_completion=False,
            **arguments,
        )
        self.night = night

    def execute(self, context: Any) -> None:
        """Start the run; skips when monitoring asks for none."""
        night: Mapping[str, Any] = self.night
        if not night.get("retrain"):
            raise AirflowSkipException("monitoring asks for no training")
        self.log.info("a training as of %s is started: %s", night["day"], night["retrain"])
        self.trigger_run_id = f"retrain__{night['day']}"
        self.conf = {"as_of": night["day"], "promote": True}
        self.note = str(night["retrain"])
        super().execute(context)
