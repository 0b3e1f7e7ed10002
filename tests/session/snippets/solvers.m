%% An ordinary differential equation
[t, y] = ode45(@(t, y) -2*y, [0 1], 1);
fprintf('%.4f\n', y(end));
%> 0.1353

%% A system of two, at given times, with options
options = odeset('RelTol', 1e-8, 'AbsTol', 1e-10);
[t, y] = ode45(@(t, y) [y(2); -y(1)], [0 pi/2 pi], [0; 1], options);
fprintf('%6.3f %6.3f %6.3f\n', [t y]');
%>  0.000  0.000  1.000
%>  1.571  1.000 -0.000
%>  3.142 -0.000 -1.000

%% Stiff, and the solvers' other names
[t, y] = ode15s(@(t, y) -100*(y - cos(t)), [0 1], 0);
fprintf('%.2f\n', y(end));
[t, y] = ode23(@(t, y) y, [0 1], 1);
fprintf('%.2f\n', y(end));
[t, y] = ode113(@(t, y) y, [0 1], 1);
fprintf('%.2f\n', y(end));
%> 0.55
%> 2.72
%> 2.72

%% Zeros of functions and of polynomials
x = fzero(@cos, [1 2])
fprintf('%.4f\n', roots([1 -6 11 -6]));
x = fzero(@(x) x^3 - 2, 1, optimset('TolX', 1e-12));
fprintf('%.6f\n', x^3);
%> x = 1.5708
%> 3.0000
%> 2.0000
%> 1.0000
%> 2.000000

%% Minima
p = fminsearch(@(p) (p(1) - 1)^2 + (p(2) + 2)^2, [0 0]);
fprintf('%.2f %.2f\n', p);
x = fminbnd(@(x) (x - 2)^2, 0, 5);
fprintf('%.4f\n', x);
%> 1.00 -2.00
%> 2.0000

%% Systems of nonlinear equations, with a toolbox's options
options = optimoptions('fsolve', 'Display', 'off', 'Algorithm', 'trust-region');
[x, fval, flag] = fsolve(@(x) [x(1)^2 + x(2)^2 - 2; x(1) - x(2)], [2; 1], options);
fprintf('%.4f %.4f, flag %d\n', x, flag);
%> 1.0000 1.0000, flag 1

%% Integrals
fprintf('%.6f\n', integral(@(x) x.^2, 0, 3));
fprintf('%.6f\n', quad(@(x) exp(-x.^2), 0, 1));
fprintf('%.6f\n', integral2(@(x, y) x.*y, 0, 1, 0, 2));
trapz([0 1 2], [0 1 4])
%> 9.000000
%> 0.746824
%> 1.000000
%> ans = 3

%% Interpolation and fitting
interp1([1 2 3], [10 20 30], [1.5 2.5])
interp1([1 2 3], [1 4 9], 2.5, 'spline')
p = polyfit(0:3, 2*(0:3) + 1, 1);
fprintf('%.3f %.3f\n', p);
polyval([1 2 3], 2)
%> ans =
%>
%>    15   25
%>
%> ans = 6.2500
%> 2.000 1.000
%> ans = 11

%% Polynomials
conv([1 2], [1 3])
[q, r] = deconv([1 5 6], [1 2])
polyder([1 0 -1])
%> ans =
%>
%>    1   5   6
%>
%> q =
%>
%>    1   3
%>
%> r =
%>
%>    0   0   0
%>
%> ans =
%>
%>    2   0
%>

%% Fourier transform and filters
X = fft([1 0 0 0])
y = filter(1, [1 -0.5], [1 1 1])
norm(ifft(fft([1 2 3])) - [1 2 3]) < 1e-12
%> X =
%>
%>    1   1   1   1
%>
%> y =
%>
%>    1.0000   1.5000   1.7500
%>
%> ans = 1
