"""Microsoft.Compute: machines, disks, scale sets, images, quotas."""
