-- Grain: one row that could not be used; what it held stays in raw.
with

quarantined_rows as (
    select * from {{ source('raw', 'quarantined_rows') }}
),

final as (
    select
        quarantined_rows.object_id,
        quarantined_rows.line_number,
        quarantined_rows.reason_code,
        quarantined_rows.reason
    from quarantined_rows
)

select * from final
