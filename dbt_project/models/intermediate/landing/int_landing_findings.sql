-- Grain: one thing that landing reports of an object in force: an observation,
-- an object quarantined whole, or its rows quarantined for one reason.
with

observations as (
    select * from {{ ref('stg_raw__observations') }}
),

source_objects as (
    select * from {{ ref('stg_raw__source_objects') }}
),

quarantined_rows as (
    select * from {{ ref('stg_raw__quarantined_rows') }}
),

row_counts as (
    select
        quarantined_rows.object_id,
        quarantined_rows.reason_code,
        count(*) as row_count,
        min(quarantined_rows.line_number) as first_line_number
    from quarantined_rows
    group by quarantined_rows.object_id, quarantined_rows.reason_code
),

final as (
    select
        observations.code,
        observations.subject,
        observations.object_id,
        observations.detail
    from observations
    left outer join source_objects
        on observations.object_id = source_objects.object_id
    where coalesce(source_objects.is_in_force, true)
    union all
    select
        'object_quarantined' as code,
        source_objects.key as subject,
        source_objects.object_id,
        source_objects.reason_code || ': ' || source_objects.reason as detail
    from source_objects
    where
        source_objects.is_in_force
        and source_objects.status = 'quarantined'
    union all
    select
        'rows_quarantined' as code,
        source_objects.key as subject,
        source_objects.object_id,
        row_counts.reason_code || ': ' || row_counts.row_count
        || ' rows, the first is line ' || row_counts.first_line_number
            as detail
    from row_counts
    inner join source_objects
        on row_counts.object_id = source_objects.object_id
    where source_objects.is_in_force
)

select * from final
