%% save and load
x = 1; y = 'abc'; z = {1, 2};
save('results/test.mat', 'x', 'y', 'z');
clear
load results/test.mat
x, y, z
S = load('results/test.mat', 'x')
%> x = 1
%> y = abc
%> z =
%> {
%>   [1,1] = 1
%>   [1,2] = 2
%> }
%>
%> S =
%>
%>   scalar structure containing the fields:
%>
%>     x = 1
%>

%% MATLAB's own file format
m.field = [1 2; 3 4];
save('-v7', 'results/v7.mat', 'm');
id = fopen('results/v7.mat'); fread(id, 19, '*char')', fclose(id);
clear m
load('results/v7.mat');
m.field
who -file results/v7.mat
%> ans = MATLAB 5.0 MAT-file
%> ans =
%>
%>    1   2
%>    3   4
%>
%> Variables in the file results/v7.mat:
%>
%>
%> m
%>

%% Tables of numbers
csvwrite('results/a.csv', magic(3));
type results/a.csv
csvread('results/a.csv')
writematrix([1.5 2; 3 4], 'results/b.csv');
readmatrix('results/b.csv')
dlmwrite('results/c.txt', [1 2; 3 4], '\t');
fileread('results/c.txt')
%> 8,1,6
%> 3,5,7
%> 4,9,2
%>
%> ans =
%>
%>    8   1   6
%>    3   5   7
%>    4   9   2
%>
%> ans =
%>
%>    1.5000   2.0000
%>    3.0000   4.0000
%>
%> ans = 1	2
%> 3	4
%>

%% A table with a head
id = fopen('results/d.csv', 'w');
fprintf(id, 'time,value\n0,1\n0.5,2\n');
fclose(id);
readmatrix('results/d.csv')
d = importdata('results/d.csv');
d.colheaders
%> ans =
%>
%>         0   1.0000
%>    0.5000   2.0000
%>
%> ans =
%> {
%>   [1,1] = time
%>   [1,2] = value
%> }
%>

%% Line by line
id = fopen('results/t.txt', 'w');
fprintf(id, '%d %d\n', [1 2; 3 4]);
fclose(id);
id = fopen('results/t.txt');
while ~feof(id)
    line = fgetl(id)
end
frewind(id);
n = fscanf(id, '%d')'
frewind(id);
c = textscan(id, '%d %d');
c{2}'
fclose(id);
%> line = 1 3
%> line = 2 4
%> n =
%>
%>    1   3   2   4
%>
%> ans =
%>
%>   3  4
%>

%% Files and folders
mkdir('results/sub');
isfolder('results/sub')
writelines({'one', 'two'}, 'results/sub/l.txt');
readlines('results/sub/l.txt')
copyfile('results/sub/l.txt', 'results/sub/m.txt');
d = dir('results/sub/*.txt'); {d.name}
[folder, name, ext] = fileparts('/home/data/file.txt')
delete('results/sub/l.txt');
rmdir('results/sub', 's');
exist('results/sub', 'dir'), isfile('results/sub/m.txt')
%> ans = 1
%> ans =
%> {
%>   [1,1] = one
%>   [2,1] = two
%>   [3,1] =
%> }
%>
%> ans =
%> {
%>   [1,1] = l.txt
%>   [1,2] = m.txt
%> }
%>
%> folder = /home/data
%> name = file
%> ext = .txt
%> ans = 0
%> ans = 0

%% A file that is not there
id = fopen('nope.txt')
load nope.mat
%> id = -1
%! [] load: unable to find file nope.mat

%% Pictures
imwrite(uint8(magic(4) * 10), 'results/i.png');
A = imread('results/i.png');
size(A), A(1, 1)
%> ans =
%>
%>    4   4
%>
%> ans = 160

%% Printing figures
plot(1:3);
print -dpng -r72 results/p.png
size(imread('results/p.png'))
print('-dpng', '-r144', 'results/p.png');
size(imread('results/p.png'))
print -dpdf results/p.pdf
print -dsvg results/p.svg
saveas(gcf, 'results/q.png');
exportgraphics(gcf, 'results/r.png', 'Resolution', 36);
size(imread('results/r.png'))
frame = getframe(gcf); size(frame.cdata)
isfile({'results/p.pdf', 'results/p.svg', 'results/q.png'})
%> ans =
%>
%>    420   560     3
%>
%> ans =
%>
%>     840   1120      3
%>
%> ans =
%>
%>    210   280     3
%>
%> ans =
%>
%>    420   560     3
%>
%> ans =
%>
%>   1  1  1
%>

%% JSON
jsonencode(struct('a', [1 2], 'b', 'text'))
s = jsondecode('{"x": [1, 2, 3], "y": {"z": true}}')
%> ans = {"a":[1,2],"b":"text"}
%> s =
%>
%>   scalar structure containing the fields:
%>
%>     x =
%>
%>        1
%>        2
%>        3
%>
%>     y =
%>
%>       scalar structure containing the fields:
%>
%>         z = 1
%>
%>

%% Programs
[status, output] = system('echo hello')
getenv('HOME')
pwd
%> status = 0
%> output = hello
%>
%> ans = /home/matlab/shared
%> ans = /home/matlab/shared
