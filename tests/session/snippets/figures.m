%% plot
x = linspace(0, 2*pi, 50);
plot(x, sin(x), 'r--', x, cos(x), 'b', 'LineWidth', 2);
legend('sin', 'cos', 'Location', 'best'); grid on; xlabel('x'); ylabel('y'); title('Waves');

%% bar
bar([3 1 2; 4 2 1]);

%% barh
barh([3 1 2]);

%% hist
hist([1 2 2 3 3 3 4 4 5], 5);

%% histogram
histogram([1 2 2 3 3 3 4 4 5], 5, 'Normalization', 'pdf', 'FaceColor', 'g'); xline([2 4], 'r--', 'label');

%% scatter
scatter(1:5, [2 4 1 3 5], 40, 1:5, 'filled'); colorbar;

%% pie
pie([1 2 3], {'a', 'b', 'c'});

%% area
area([1 2; 3 1; 2 2]);

%% stairs
stairs([1 3 2 4]);

%% stem
stem([1 3 2 4], 'filled');

%% errorbar
errorbar(1:4, [1 3 2 4], [.1 .2 .3 .2]);

%% contour
[X, Y] = meshgrid(-2:.2:2);
contour(X, Y, X.^2 + Y.^2); axis equal

%% contourf
contourf(peaks(20)); colormap(parula); colorbar

%% surf
[X, Y, Z] = peaks(15);
surf(X, Y, Z); shading interp; view(45, 30); alpha(0.8); camlight; lighting gouraud

%% mesh
mesh(peaks(15)); zlabel('z'); rotate3d on

%% imagesc
imagesc(magic(5)); colormap gray; axis square; clim([0 25])

%% pcolor
pcolor(magic(5)); shading flat

%% quiver
[X, Y] = meshgrid(-1:1);
quiver(X, Y, -Y, X);

%% polar
polarplot(0:.1:2*pi, abs(sin(0:.1:2*pi)));

%% semilogy
semilogy(1:5, 10.^(1:5)); hold on; semilogy(1:5, 2.^(1:5)); hold off

%% loglog
loglog([1 10 100], [1 100 10000], 'o-');

%% plot3
t = 0:.1:6*pi;
plot3(cos(t), sin(t), t);

%% patch
patch([0 1 1 0], [0 0 1 1], 'g'); xline(0.5, 'r--'); yline(0.5);

%% fill and text
fill([0 1 .5], [0 0 1], 'y'); text(.5, .3, 'inside'); axis([0 1 0 1]);

%% fplot
fplot(@(x) x.^2, [-1 1]);

%% functions of two variables
fsurf(@(x, y) x.*y);

%% subplots
subplot(2, 1, 1); plot(1:3); subplot(2, 1, 2); bar(1:3); sgtitle('Two');

%% tiles
tiledlayout(1, 2); nexttile; plot(1:3); nexttile; plot(3:-1:1);

%% solutions of a differential equation
ode45(@(t, y) [y(2); -y(1)], [0 6], [1; 0]);
