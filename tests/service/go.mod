module example.com/orders

go 1.26

require example.com/ring v0.0.0

replace example.com/ring => ./ring
