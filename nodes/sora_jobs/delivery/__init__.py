"""From a job to its video on disk: polling, download, receipts."""
