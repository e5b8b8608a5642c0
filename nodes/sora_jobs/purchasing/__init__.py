"""From a request to a job that is paid for once: price, purchase, reconciling."""
