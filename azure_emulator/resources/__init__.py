"""What handlers of all resource types share: views, references, create, read and delete."""
