"""Accounts that are older than proving an address were all made by an operator, who vouched for it: nobody who could
sign in yesterday is asked for a code today."""

from django.db import migrations


def vouch(apps, schema_editor):
    address = apps.get_model("account", "EmailAddress").objects.using(schema_editor.connection.alias)
    people = apps.get_model("tenants", "User").objects.using(schema_editor.connection.alias)
    known = set(address.values_list("user_id", flat=True))
    for user in people.exclude(pk__in=known).iterator():
        address.create(user_id=user.pk, email=user.email, verified=True, primary=True)


class Migration(migrations.Migration):
    dependencies = [
        ("tenants_accounts", "0001_initial"),
        ("tenants", "0001_initial"),
        ("account", "0009_emailaddress_unique_primary_email"),
    ]

    operations = [migrations.RunPython(vouch, migrations.RunPython.noop, elidable=False)]
