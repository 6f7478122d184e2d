module example.com/pricewatch

go 1.22
