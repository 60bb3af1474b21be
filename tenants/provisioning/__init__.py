"""From a registered organization to a ready one: schema, grants, the slices' own first rows, in resumable steps."""
