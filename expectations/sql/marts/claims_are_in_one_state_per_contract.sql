-- Rules C5 to C7.
with

claims as (
    select fct_claims.*
    from marts.fct_claims
    inner join audit.current_build
        on fct_claims.service_month = current_build.service_month
),

-- Claims all of whose messages in force were known at the as-of time, name this
-- month, and no sandbox account.
received as (
    select claims.claim_id
    from raw.claims
    inner join gate.objects on claims.object_id = objects.object_id
    cross join audit.current_build
    left outer join gate.accounts on claims.account_id = accounts.account_id
    group by
        claims.claim_id, current_build.service_month, current_build.as_of
    having
        bool_and(claims.service_month = current_build.service_month)
        and bool_and(claims.received_at <= current_build.as_of)
        and bool_and(accounts.is_sandbox is not true)
),

states as (
    select
        claims.claim_id,
        claims.contract_id,
        count(*) as row_count,
        min(claims.status) as status
    from claims
    group by claims.claim_id, claims.contract_id
),

accepted as (
    select
        claims.contract_id,
        count(*) as row_count,
        min(claims.claim_id) as claim_id
    from claims
    where claims.status = 'accepted' and claims.contract_id is not null
    group by claims.contract_id
),

-- Every claim that is judged, or should be.
population as (
    select
        states.contract_id,
        states.status,
        states.row_count,
        coalesce(states.claim_id, received.claim_id) as claim_id,
        states.claim_id is not null as is_judged
    from states
    full outer join received on states.claim_id = received.claim_id
),

final as (
    select
        population.claim_id as subject,
        case
            when population.is_judged
                then
                    concat(
                        population.row_count,
                        ' rows of status ',
                        coalesce(population.status, 'null'),
                        ' for contract ',
                        coalesce(population.contract_id, 'none')
                    )
            else 'received, and not judged'
        end as detail
    from population
    where
        not population.is_judged
        or population.row_count > 1
        or not coalesce(
            population.status in (
                'pending', 'rejected', 'needs_review', 'duplicate', 'accepted'
            ),
            false
        )
    union all
    select
        accepted.claim_id as subject,
        concat(
            'one of ',
            accepted.row_count,
            ' accepted claims for contract ',
            accepted.contract_id
        ) as detail
    from accepted
    where accepted.row_count > 1
)

select * from final
order by subject, detail
