with

feeds (feed) as (
    values
    ('catalog/monitors'),
    ('catalog/components'),
    ('monitoring/checks'),
    ('status_page/statuspage'),
    ('notices'),
    ('exclusions'),
    ('tickets/events'),
    ('accounts/accounts'),
    ('accounts/contracts'),
    ('accounts/fees'),
    ('claims')
),

final as (
    select
        feeds.feed as subject,
        'the feed has no object' as detail
    from feeds
    left outer join raw.source_objects
        on feeds.feed = source_objects.feed and source_objects.is_in_force
    where source_objects.object_id is null
)

select * from final
order by subject
