-- Rules C5 to C7.
with

accounts as (
    select distinct on (accounts.account_id) accounts.*
    from raw.accounts
    inner join raw.source_objects
        on accounts.object_id = source_objects.object_id
    where source_objects.is_in_force
    order by
        accounts.account_id asc,
        source_objects.exported_at desc,
        convert_to(source_objects.key, 'UTF8') desc,
        accounts.line_number desc
),

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
    inner join raw.source_objects
        on claims.object_id = source_objects.object_id
    cross join audit.current_build
    left outer join accounts on claims.account_id = accounts.account_id
    where source_objects.is_in_force
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

final as (
    select
        states.claim_id as subject,
        concat(
            states.row_count,
            ' rows of status ',
            coalesce(states.status, 'null'),
            ' for contract ',
            coalesce(states.contract_id, 'none')
        ) as detail
    from states
    where
        states.row_count > 1
        or not coalesce(
            states.status in (
                'pending', 'rejected', 'needs_review', 'duplicate', 'accepted'
            ),
            false
        )
    union all
    select
        received.claim_id as subject,
        'received, and not judged' as detail
    from received
    where
        not exists (
            select 1
            from claims
            where claims.claim_id = received.claim_id
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
