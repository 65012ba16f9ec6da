-- Grain: one row a claim message: all in force count, equal ones once.
with

claims as (
    select * from {{ source('raw', 'claims') }}
),

source_objects as (
    select * from {{ source('raw', 'source_objects') }}
),

in_force as (
    select distinct on (claims.claim_id, claims.row_sha256)
        claims.*,
        source_objects.exported_at,
        source_objects.key as object_key
    from claims
    inner join source_objects
        on
            claims.object_id = source_objects.object_id
            and source_objects.is_in_force
    order by
        claims.claim_id,
        claims.row_sha256,
        source_objects.exported_at,
        {{ in_byte_order('source_objects.key') }},
        claims.line_number
),

final as (
    select
        in_force.claim_id,
        in_force.account_id,
        in_force.company_name,
        in_force.company_key,
        in_force.service_month,
        in_force.sent_at,
        in_force.received_at,
        in_force.incident_timeline,
        in_force.row_sha256,
        in_force.object_id,
        in_force.line_number
    from in_force
)

select * from final
