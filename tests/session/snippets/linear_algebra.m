%% Solve a system of equations
A = [4 -2; 1 1];
b = [2; 1];
x = A\b
residual = norm(A*x - b) < 1e-12
%> x =
%>
%>    0.6667
%>    0.3333
%>
%> residual = 1

%% A singular matrix is warned of
A = [1 2; 2 4];
x = A \ [1; 2]
inv(A)
%> warning: matrix singular to machine precision
%> x =
%>
%>    0.2000
%>    0.4000
%>
%> warning: matrix singular to machine precision
%> ans =
%>
%>    Inf   Inf
%>    Inf   Inf
%>

%% Eigenvalues and eigenvectors
A = [2 0; 0 3];
[V, D] = eig(A)
fprintf('%.4f\n', abs(imag(eig([0 1; -1 0]))));
%> V =
%>
%>    1   0
%>    0   1
%>
%> D =
%>
%>    2   0
%>    0   3
%>
%> 1.0000
%> 1.0000

%% Singular values, rank, determinant, condition
fprintf('%.4f\n', svd([3 0; 0 4]));
rank(magic(4))
fprintf('%.4f %.4f\n', det([1 2; 3 4]), cond([2 0; 0 1]));
%> 4.0000
%> 3.0000
%> ans = 3
%> -2.0000 2.0000

%% Factorizations
[L, U, P] = lu([1 2; 3 4])
R = chol([4 2; 2 3]);
norm(R'*R - [4 2; 2 3]) < 1e-12
[Q, R] = qr([3 0; 4 5]);
fprintf('%.4f %.4f\n', abs(R)');
%> L =
%>
%>    1.0000        0
%>    0.3333   1.0000
%>
%> U =
%>
%>    3.0000   4.0000
%>         0   0.6667
%>
%> P =
%>
%>    0   1
%>    1   0
%>
%> ans = 1
%> 5.0000 4.0000
%> 0.0000 3.0000

%% Least squares, null space, pseudoinverse
c = [1 1; 1 2; 1 3] \ [6; 0; 0];
fprintf('%.4f\n', c);
N = null([1 1]);
norm([1 1] * N) < 1e-12
pinv([1 2; 3 4])
%> 8.0000
%> -3.0000
%> ans = 1
%> ans =
%>
%>   -2.0000   1.0000
%>    1.5000  -0.5000
%>

%% Matrix functions
fprintf('%.4f %.4f\n', expm([0 1; 0 0])', sqrtm([4 0; 0 9])');
kron([1 2], [1; 1])
trace(magic(3)), norm([3 4])
%> 1.0000 1.0000
%> 0.0000 1.0000
%> 2.0000 0.0000
%> 0.0000 3.0000
%> ans =
%>
%>    1   2
%>    1   2
%>
%> ans = 15
%> ans = 5

%% Cross and dot products
cross([1 0 0], [0 1 0])
dot([1 2 3], [4 5 6])
[1 2; 3 4] .* [2 2; 2 2]
[1 2; 3 4]^2
%> ans =
%>
%>    0   0   1
%>
%> ans = 32
%> ans =
%>
%>    2   4
%>    6   8
%>
%> ans =
%>
%>     7   10
%>    15   22
%>

%% Sparse matrices
S = sparse([1 2 3], [1 2 3], [4 5 6])
full(S(2, :))
nnz(S)
S \ [4; 10; 18]
%> S =
%>
%> Compressed Column Sparse (rows = 3, cols = 3, nnz = 3 [33%])
%>
%>   (1, 1) -> 4
%>   (2, 2) -> 5
%>   (3, 3) -> 6
%>
%> ans =
%>
%>    0   5   0
%>
%> ans = 3
%> ans =
%>
%>    1
%>    2
%>    3
%>

%% The largest eigenvalues of a large sparse matrix
fprintf('%.4f\n', eigs(sparse(diag(1:50)), 3));
%> 50.0000
%> 49.0000
%> 48.0000

%% An identity matrix is a matrix like others
I = eye(2)
I * [NaN 1; 1 1]
%> I =
%>
%>    1   0
%>    0   1
%>
%> ans =
%>
%>    NaN     1
%>    NaN     1
%>

%% Building and taking apart
A = reshape(1:6, 2, 3)
A(:, 2) = []
A(end+1, :) = [7 8]
B = [A; 9 10]';
size(B)
triu(magic(3))
%> A =
%>
%>    1   3   5
%>    2   4   6
%>
%> A =
%>
%>    1   5
%>    2   6
%>
%> A =
%>
%>    1   5
%>    2   6
%>    7   8
%>
%> ans =
%>
%>    2   4
%>
%> ans =
%>
%>    8   1   6
%>    0   5   7
%>    0   0   2
%>
