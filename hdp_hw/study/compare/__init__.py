"""hdp-hw compare: the accuracy of HDP and its peers against what they save, on a model and examples."""
