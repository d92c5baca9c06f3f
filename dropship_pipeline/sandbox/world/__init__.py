"""What is true in the simulated Alibaba.com: products, feeds, prices, stock, freight, orders. Knows no HTTP or JSON."""
