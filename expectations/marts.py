"""The border after dbt: what contracts, terms and their own arithmetic demand of the marts.

Each claim is reckoned again from `raw` where it can be, by other SQL than the models'.
"""

from __future__ import annotations

from expectations.expectation import CRITICAL, WARNING, Expectation

NO_ACCOUNT_MONTHS = (
    "A month without contracts has no account-months, and no credits: none of these claims is judged then."
)

REBUILD = "A model is wrong, or something else wrote to `marts`: keep the run's artifacts, and report it. "

EXPECTATIONS = (
    Expectation(
        name="contracts_of_the_month_have_one_account_month",
        severity=CRITICAL,
        table="marts.fct_account_months",
        why="A contract that drops out of a join would silently be owed nothing (rule P2).",
        remedy=REBUILD,
        may_be_empty=NO_ACCOUNT_MONTHS,
    ),
    Expectation(
        name="measured_periods_are_those_of_the_contracts",
        severity=CRITICAL,
        table="marts.fct_account_months",
        why="Month, contract, suspensions and as-of time alone decide what is measured (rules P1, P2, P4).",
        remedy=REBUILD,
        may_be_empty=NO_ACCOUNT_MONTHS,
        only_with="contracts_of_the_month_have_one_account_month",
    ),
    Expectation(
        name="seconds_add_up_to_the_measured_period",
        severity=CRITICAL,
        table="marts.fct_account_months",
        why="Counted, excluded, unknown and up time are all the time there is, to the microsecond (rule D8).",
        remedy=REBUILD,
        may_be_empty=NO_ACCOUNT_MONTHS,
        only_with="contracts_of_the_month_have_one_account_month",
    ),
    Expectation(
        name="downtime_segments_add_up_to_the_account_months",
        severity=CRITICAL,
        table="marts.fct_account_downtime",
        why="The segments are the evidence of the seconds: they must tell the same (rule D8).",
        remedy=REBUILD,
        may_be_empty=NO_ACCOUNT_MONTHS,
        only_with="contracts_of_the_month_have_one_account_month",
    ),
    Expectation(
        name="downtime_segments_never_overlap",
        severity=CRITICAL,
        table="marts.fct_account_downtime",
        why="An instant is of one kind, within the measured period, and counts once (rules D4, D6, D8).",
        remedy=REBUILD,
        may_be_empty="A month without downtime has no segment; what it adds up to is held against the account-months.",
    ),
    Expectation(
        name="terms_versions_are_those_in_force",
        severity=CRITICAL,
        table="marts.fct_account_months",
        why="The version in force at the start of the measured period sets the tiers (rule T3).",
        remedy=REBUILD,
        may_be_empty=NO_ACCOUNT_MONTHS,
        only_with="contracts_of_the_month_have_one_account_month",
    ),
    Expectation(
        name="uptime_percents_are_within_bounds",
        severity=CRITICAL,
        table="marts.fct_account_months",
        why="Uptime lies within 0 and 100, and unknown time can only lower it (rules D7, U1, U6).",
        remedy=REBUILD,
        may_be_empty=NO_ACCOUNT_MONTHS,
        only_with="contracts_of_the_month_have_one_account_month",
    ),
    Expectation(
        name="uptime_percents_are_exact",
        severity=CRITICAL,
        table="marts.fct_account_months",
        why="A stored percent is cut after 12 decimals and never rounded up (rule U2).",
        remedy=REBUILD,
        may_be_empty=NO_ACCOUNT_MONTHS,
        only_with="contracts_of_the_month_have_one_account_month",
    ),
    Expectation(
        name="uncertain_months_are_held",
        severity=CRITICAL,
        table="marts.fct_account_months",
        why="Where unknown time decides the tier, a named person decides, not the pipeline (rule D7).",
        remedy=REBUILD,
        may_be_empty=NO_ACCOUNT_MONTHS,
        only_with="contracts_of_the_month_have_one_account_month",
    ),
    Expectation(
        name="account_months_have_one_availability_credit",
        severity=CRITICAL,
        table="marts.fct_credits",
        why="Every account-month has its decision, zeros with their reason too; none is decided twice.",
        remedy=REBUILD,
        may_be_empty=NO_ACCOUNT_MONTHS,
        only_with="contracts_of_the_month_have_one_account_month",
    ),
    Expectation(
        name="credit_percents_are_the_tiers_of_the_uptimes",
        severity=CRITICAL,
        table="marts.fct_credits",
        why="One tier applies, the lowest that uptime is strictly under, by exact durations (rules U2, U3).",
        remedy=REBUILD,
        may_be_empty=NO_ACCOUNT_MONTHS,
        only_with="contracts_of_the_month_have_one_account_month",
    ),
    Expectation(
        name="response_credits_are_those_of_the_breaches",
        severity=CRITICAL,
        table="marts.fct_credits",
        why="Percent per late ticket by its severity, capped, and only where the terms have such credits (rule R7).",
        remedy=REBUILD,
        may_be_empty=NO_ACCOUNT_MONTHS,
        only_with="contracts_of_the_month_have_one_account_month",
    ),
    Expectation(
        name="credit_amounts_are_exact_to_the_minor_unit",
        severity=CRITICAL,
        table="marts.fct_credits",
        why="Percent times fee, rounded once, half up, to the currency's minor unit (rule U4).",
        remedy=REBUILD,
        may_be_empty=NO_ACCOUNT_MONTHS,
        only_with="contracts_of_the_month_have_one_account_month",
    ),
    Expectation(
        name="credits_owed_are_of_ended_measured_months",
        severity=CRITICAL,
        table="marts.fct_credits",
        why="Nothing is owed while a month is provisional, held or blocked (rules P4, D7, U4).",
        remedy=REBUILD,
        may_be_empty=NO_ACCOUNT_MONTHS,
        only_with="contracts_of_the_month_have_one_account_month",
    ),
    Expectation(
        name="credits_owed_are_guaranteed",
        severity=CRITICAL,
        table="marts.fct_credits",
        why="Best effort earns nothing: the terms guarantee, and the agreement is active (rule U5).",
        remedy=REBUILD,
        may_be_empty=NO_ACCOUNT_MONTHS,
        only_with="contracts_of_the_month_have_one_account_month",
    ),
    Expectation(
        name="credits_owed_have_an_accepted_claim",
        severity=CRITICAL,
        table="marts.fct_credits",
        why="Where the terms ask for a claim, a credit is issued only against one that was accepted (rule C1).",
        remedy=REBUILD,
        may_be_empty=NO_ACCOUNT_MONTHS,
        only_with="contracts_of_the_month_have_one_account_month",
    ),
    Expectation(
        name="credits_have_the_fee_as_billed",
        severity=CRITICAL,
        table="marts.fct_credits",
        why="A fee is never guessed: it is the one exported last for the contract and month (rule U4).",
        remedy=REBUILD,
        may_be_empty=NO_ACCOUNT_MONTHS,
        only_with="contracts_of_the_month_have_one_account_month",
    ),
    Expectation(
        name="claims_are_in_one_state_per_contract",
        severity=CRITICAL,
        table="marts.fct_claims",
        why="Each claim is judged once for each contract of its account, and none is lost (rules C5 to C7).",
        remedy=REBUILD,
        may_be_empty="A month may have no claim.",
    ),
    Expectation(
        name="only_months_that_have_ended_are_closed",
        severity=CRITICAL,
        table="audit.builds",
        why="A month is closed, and so credited, only when it has ended in every contract's zone (rule L5).",
        remedy="Close it later, or with a later --as-of.",
        may_be_empty=NO_ACCOUNT_MONTHS,
        only_with="contracts_of_the_month_have_one_account_month",
    ),
    Expectation(
        name="sandbox_accounts_have_no_rows",
        severity=CRITICAL,
        table="marts.fct_account_months",
        why="Sandbox accounts have no rows anywhere (rule P5).",
        remedy=REBUILD,
        may_be_empty=NO_ACCOUNT_MONTHS,
        only_with="contracts_of_the_month_have_one_account_month",
    ),
    Expectation(
        name="months_are_neither_held_nor_blocked",
        severity=WARNING,
        table="marts.fct_account_months",
        why="These account-months are not credited until somebody decides, or the missing input is there.",
        remedy="Held: decide what `sla pending` lists. Blocked, by its reason: `fee_missing`: export the fee of the "
        "contract and month to `accounts/fees/`; `currency_unknown`: export the fee with a currency of ISO 4217; "
        "`terms_unknown`: land the document of the contract's terms in `terms/`, or correct the contract; "
        "`terms_not_in_force`: land a version of them that is in force when the measured period starts. Run again.",
        may_be_empty=NO_ACCOUNT_MONTHS,
        only_with="contracts_of_the_month_have_one_account_month",
    ),
    Expectation(
        name="outcomes_do_not_depend_on_excluded_time",
        severity=WARNING,
        table="marts.fct_account_months",
        why="With excluded time taken out of the base, these account-months would fall into another tier (U1).",
        remedy="Nothing, if the terms' `excluded_time` is meant; the alternative figure is stored beside it.",
        may_be_empty=NO_ACCOUNT_MONTHS,
        only_with="contracts_of_the_month_have_one_account_month",
    ),
    Expectation(
        name="tickets_are_measured",
        severity=WARNING,
        table="marts.fct_response_times",
        why="Tickets without a severity, a contract or terms have no target, and are not measured (rule R5).",
        remedy="marts.fct_response_times has the tickets, each with its reason. `no_severity`: give the ticket one; "
        "`no_active_contract`: check its account, and that account's contracts at its creation; `no_terms`: land "
        "the document of the contract's terms in `terms/`; `no_target`: land a version of them with a target for "
        "its severity. Export again, and run again. Where the reason is right, nothing.",
        may_be_empty="A month may have no ticket.",
    ),
    Expectation(
        name="nothing_is_reported",
        severity=WARNING,
        table="marts.fct_findings",
        why="What the rules report is listed in marts.fct_findings, each with its subject.",
        remedy="marts.fct_findings has each with its subject, object and detail: mend what is wrong at its source, "
        "export it again, and run again. What is meant to be so needs nothing.",
        may_be_empty="That nothing is reported is what it claims.",
    ),
)
