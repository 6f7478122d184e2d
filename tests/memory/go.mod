module example.com/memory

go 1.26

require github.com/prometheus/client_golang v0.0.0

replace github.com/prometheus/client_golang => ./prometheus
