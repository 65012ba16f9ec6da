-- Fails if, after any line, the lines of its contract, month, basis and
-- currency do not add up to what the evidence that it names says was owed then,
-- or the line has another percent or fee (rules L2 and L6). Evidence is its own
-- digest: no hand can change it with the line. Looked at are the lines of the
-- build's month, and those that are still to go out.
{{ config(tags=['ledger']) }}
with

build as (
    select * from {{ ref('stg_audit__current_build') }}
),

deliveries as (
    select * from {{ source('billing', 'deliveries') }}
),

postings as (
    select * from {{ source('billing', 'postings') }}
),

evidence as (
    select * from {{ source('billing', 'evidence') }}
),

lines as (
    select * from {{ ref('stg_billing__credit_line_items') }}
),

running as (
    {{ running_sums('lines') }}
),

looked_at as (
    select running.*
    from running
    where
        running.service_month = (select build.service_month from build)
        or not exists (
            select postings.posting_number
            from postings
            inner join deliveries
                on postings.posting_number = deliveries.posting_number
            where
                running.chain_position
                between postings.first_position and postings.last_position
        )
),

evident as (
    select
        evidence.evidence_sha256,
        credits.basis,
        credits.status,
        credits.amount,
        credits.currency,
        credits.credit_percent,
        credits.monthly_fee
    from evidence
    cross join
        lateral jsonb_to_recordset(evidence.document::jsonb -> 'credits')
            as credits (
                basis text,
                status text,
                amount numeric,
                currency text,
                credit_percent numeric,
                monthly_fee numeric
            )
    where
        evidence.evidence_sha256 in (
            select looked_at.evidence_sha256 from looked_at
        )
),

owed as (
    select
        looked_at.*,
        evident.credit_percent as owed_percent,
        evident.monthly_fee as owed_fee,
        case
            when
                evident.status = 'owed'
                and evident.currency = looked_at.currency
                then evident.amount
            else 0
        end as owed_amount
    from looked_at
    left outer join evident
        on
            looked_at.evidence_sha256 = evident.evidence_sha256
            and looked_at.basis = evident.basis
),

final as (
    select
        owed.contract_id,
        owed.service_month,
        format(
            'line %s: owed %s %s, lines %s; percent %s not %s, fee %s not %s',
            owed.line_item_id,
            owed.owed_amount,
            owed.currency,
            owed.posted_amount,
            owed.credit_percent,
            owed.owed_percent,
            owed.monthly_fee,
            owed.owed_fee
        ) as problem
    from owed
    where
        owed.posted_amount is distinct from owed.owed_amount
        or owed.credit_percent is distinct from owed.owed_percent
        or owed.monthly_fee is distinct from owed.owed_fee
)

select * from final
