%% Ranges and indexing
x = 10:-2:0
x(x > 4)
x(end)
x([1 end]) = []
y = []; y(end+1) = 3
%> x =
%>
%>    10    8    6    4    2    0
%>
%> ans =
%>
%>    10    8    6
%>
%> ans = 0
%> x =
%>
%>    8   6   4   2
%>
%> y = 3

%% Logical values
m = [1 2; 3 4] > 2
any([0 1]), all([0 1]), find([0 1 1])
~true, xor(true, false)
nnz([1 0 2]), ~isempty([])
%> m =
%>
%>   0  0
%>   1  1
%>
%> ans = 1
%> ans = 0
%> ans =
%>
%>    2   3
%>
%> ans = 0
%> ans = 1
%> ans = 2
%> ans = 0

%% Integers keep their kind and their limits
a = uint8(200) + 100
b = int32(7) / int32(2)
class(single(1) + 1)
intmax('int8'), bitcmp(uint8(1))
%> a = 255
%> b = 4
%> ans = single
%> ans = 127
%> ans = 254

%% What is no number
1/0, -1/0, 0/0
isnan([1 NaN 3])
mean([1 NaN 3]), rmmissing([1 NaN 3])
%> ans = Inf
%> ans = -Inf
%> ans = NaN
%> ans =
%>
%>   0  1  0
%>
%> ans = NaN
%> ans =
%>
%>    1   3
%>

%% Complex numbers
z = 3 + 4i
abs(z), conj(z), angle(1i)
sqrt(-4)
%> z =  3 + 4i
%> ans = 5
%> ans =  3 - 4i
%> ans = 1.5708
%> ans =  0 + 2i

%% How numbers are shown
x = 1/3
format long
x
format short
y = [0.001 1000]
big = 1e10
e = []
%> x = 0.3333
%> x = 0.333333333333333
%> y =
%>
%>    1.0000e-03   1.0000e+03
%>
%> big = 1.0000e+10
%> e = [](0x0)

%% Sorting and sets
[s, i] = sort([3 1 2], 'descend')
[u, ~, j] = unique([3 1 1 2]);
u, j'
sortrows([3 1; 1 2; 2 0], -1)
union([1 2], [2 3]), intersect([1 2], [2 3]), setdiff([1 2 3], 2)
[tf, loc] = ismember({'a', 'z'}, {'a', 'b'})
%> s =
%>
%>    3   2   1
%>
%> i =
%>
%>    1   3   2
%>
%> u =
%>
%>    1   2   3
%>
%> ans =
%>
%>    3   1   1   2
%>
%> ans =
%>
%>    3   1
%>    2   0
%>    1   2
%>
%> ans =
%>
%>    1   2   3
%>
%> ans = 2
%> ans =
%>
%>    1   3
%>
%> tf =
%>
%>   1  0
%>
%> loc =
%>
%>    1   0
%>

%% Sums, means and groups
A = [1 2; 3 4];
sum(A), sum(A, 2), mean(A(:)), cumsum(1:4)
std([1 2 3 4]), median([3 1 2]), mode([1 1 2]), var([1 2 3])
[m, i] = max([1 5 3])
accumarray([1; 2; 1], [10; 20; 30])'
[n, edges] = histcounts([1 2 2 3 5])
%> ans =
%>
%>    4   6
%>
%> ans =
%>
%>    3
%>    7
%>
%> ans = 2.5000
%> ans =
%>
%>     1    3    6   10
%>
%> ans = 1.2910
%> ans = 2
%> ans = 1
%> ans = 1
%> m = 5
%> i = 2
%> ans =
%>
%>    40   20
%>
%> n =
%>
%>    1   2   1   0   1
%>
%> edges =
%>
%>    0.5000   1.5000   2.5000   3.5000   4.5000   5.5000
%>

%% Numbers of all sorts
mod(-1, 3), rem(-1, 3), floor(-2.5), round(2.5), fix(-2.5)
gcd(12, 18), lcm(4, 6), factorial(5), nchoosek(5, 2)
primes(20), isprime(7), factor(12)
linspace(0, 1, 3), logspace(0, 2, 3)
%> ans = 2
%> ans = -1
%> ans = -3
%> ans = 3
%> ans = -2
%> ans = 6
%> ans = 12
%> ans = 120
%> ans = 10
%> ans =
%>
%>     2    3    5    7   11   13   17   19
%>
%> ans = 1
%> ans =
%>
%>    2   2   3
%>
%> ans =
%>
%>         0   0.5000   1.0000
%>
%> ans =
%>
%>      1    10   100
%>

%% Random numbers can be had again
rng(42); a = rand(1, 3);
rng(42); b = rand(1, 3);
isequal(a, b)
r = randi(10, 1, 100); min(r) >= 1 && max(r) <= 10
sort(randperm(4))
%> ans = 1
%> ans = 1
%> ans =
%>
%>    1   2   3   4
%>

%% Grids and repetition
[X, Y] = meshgrid(1:3, 1:2)
repmat([1 2], 2, 2), circshift(1:4, 1), rot90([1 2; 3 4])
zeros(1, 2, 2)
%> X =
%>
%>    1   2   3
%>    1   2   3
%>
%> Y =
%>
%>    1   1   1
%>    2   2   2
%>
%> ans =
%>
%>    1   2   1   2
%>    1   2   1   2
%>
%> ans =
%>
%>    4   1   2   3
%>
%> ans =
%>
%>    2   4
%>    1   3
%>
%> ans =
%>
%> ans(:,:,1) =
%>
%>    0   0
%>
%> ans(:,:,2) =
%>
%>    0   0
%>
