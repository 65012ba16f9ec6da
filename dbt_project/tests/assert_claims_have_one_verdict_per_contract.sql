-- Fails if a claim of the month, as its messages tell it, is not in exactly one
-- state for each contract that its account had in the month (where it had none:
-- in exactly one), or a contract's month has two accepted claims: one would be
-- forgotten, or credited twice (rules C5 to C7). Its month and its account are
-- what was given first (rule C3); a sandbox's claim is none (rule P5).
with

build as (
    select * from {{ ref('stg_audit__current_build') }}
),

accounts as (
    select * from {{ ref('stg_accounts__accounts') }}
),

messages as (
    select messages.*
    from {{ ref('stg_claims__messages') }} as messages
    inner join build on messages.received_at <= build.as_of
),

account_months as (
    select fct_account_months.*
    from {{ ref('fct_account_months') }} as fct_account_months
    inner join build
        on fct_account_months.service_month = build.service_month
),

claims as (
    select
        fct_claims.*,
        coalesce(fct_claims.contract_id, '') as judged_for
    from {{ ref('fct_claims') }} as fct_claims
    inner join build
        on fct_claims.service_month = build.service_month
),

first_months as (
    select distinct on (messages.claim_id)
        messages.claim_id,
        messages.service_month
    from messages
    order by
        messages.claim_id,
        messages.received_at,
        messages.sent_at,
        messages.service_month
),

first_accounts as (
    select distinct on (messages.claim_id)
        messages.claim_id,
        messages.account_id
    from messages
    where messages.account_id is not null
    order by
        messages.claim_id,
        messages.received_at,
        messages.sent_at,
        messages.service_month,
        {{ in_byte_order('messages.account_id') }}
),

expected as (
    select
        first_months.claim_id,
        coalesce(account_months.contract_id, '') as judged_for
    from first_months
    inner join build on first_months.service_month = build.service_month
    left outer join first_accounts
        on first_months.claim_id = first_accounts.claim_id
    left outer join accounts
        on first_accounts.account_id = accounts.account_id
    left outer join account_months
        on first_accounts.account_id = account_months.account_id
    where accounts.is_sandbox is not true
),

states as (
    select
        claims.claim_id,
        claims.judged_for,
        count(claims.status) as state_count
    from claims
    group by claims.claim_id, claims.judged_for
),

final as (
    select
        coalesce(expected.claim_id, states.claim_id) as subject,
        'not in exactly one state for contract '
        || coalesce(expected.judged_for, states.judged_for) as problem
    from expected
    full outer join states
        on
            expected.claim_id = states.claim_id
            and expected.judged_for = states.judged_for
    where expected.claim_id is null or states.state_count is distinct from 1
    union all
    select
        claims.contract_id as subject,
        'more than one accepted claim' as problem
    from claims
    where claims.status = 'accepted'
    group by claims.contract_id
    having count(*) > 1
)

select * from final
