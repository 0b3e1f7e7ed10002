%% Loops and branches
total = 0;
for k = 1:5
    if mod(k, 2) == 0, continue, end
    total = total + k;
end
total
while true
    total = total - 1;
    if total < 7, break, end
end
total
switch 'abc'
    case {'abc', 'd'}
        disp('yes')
    otherwise
        disp('no')
end
%> total = 9
%> total = 6
%> yes

%% A script with its functions at the end
x = twice(3)
disp(describe('x', x))

function y = twice(x)
    y = 2 * x;   % its own x
end

function text = describe(name, value)
    if isnumeric(value)
        text = sprintf('%s is %g', name, value(end));
    end
end
%> x = 6
%> x is 6

%% A script file with its functions at the end, run as F5 does
id = fopen('results/script.m', 'w');
fprintf(id, 'half_of_it = half(10)\nfunction y = half(x)\n  y = x / 2;\nend\n');
fclose(id);
run('results/script.m')
half_of_it + 1
%> half_of_it = 5
%> ans = 6

%% Recursion, several results, arguments that are left out
function varargout = both(varargin)
    varargout = {nargin, nargout};
end
function r = fact(n)
    if n <= 1, r = 1; else, r = n * fact(n - 1); end
end
fact(5)
[in, out] = both(1, 2, 3)
%> ans = 120
%> in = 3
%> out = 2

%% Anonymous functions and handles
f = @(x) x.^2 + 1
f(3)
a = 2; g = @(x) a*x; a = 5; g(10)
func2str(g)
compose2 = @(f, g) @(x) f(g(x));
h = compose2(@sqrt, @abs);
h(-16)
feval(@plus, 1, 2)
%> f =
%>
%> @(x) x .^ 2 + 1
%>
%> ans = 10
%> ans = 20
%> ans = @(x) a * x
%> ans = 4
%> ans = 3

%% Named arguments
p = inputParser;
p.FunctionName = 'area';
p.addRequired('width', @isnumeric);
p.addOptional('height', 1);
p.addParameter('unit', 'm', @ischar);
p.parse(2, 3, 'unit', 'cm');
p.Results
p.parse('wide')
%> ans =
%>
%>   scalar structure containing the fields:
%>
%>     width = 2
%>     height = 3
%>     unit = cm
%>
%! [] area: failed validation of WIDTH. Checked with "isnumeric"

%% Global and persistent variables
function r = counter()
    persistent n
    if isempty(n), n = 0; end
    n = n + 1;
    r = n;
end
counter(); counter(); counter()
global G
G = 7;
function show_it(), global G; disp(G), end
show_it
%> ans = 3
%> 7

%% Text that is evaluated
eval('y = 2;'); y
s = evalc('disp(3)')
eval('no such thing', 'disp(''caught'')')
exist('y'), exist('sin'), isvarname('1a')
%> y = 2
%> s = 3
%>
%> caught
%> ans = 1
%> ans = 5
%> ans = 0

%% Cleaning up
x = onCleanup(@() disp('cleaned'));
clear x
x = 1; clear('x'); exist('x')
%> cleaned
%> ans = 0

%% Time
t = tic; elapsed = toc(t); elapsed < 5
c = clock; numel(c)
timeit(@() 1) < 1
%> ans = 1
%> ans = 6
%> ans = 1

%% Help
help isempty
help rms
which doc
%> 'isempty' is a built-in function from the file libinterp/corefcn/data.cc
%>
%>  -- isempty (A)
%>      Return true if A is an empty matrix (any one of its dimensions is
%>      zero).
%>
%>      See also: isnull, isa.
%> 'rms' is a function from the file /usr/share/octave/site/m/compat/rms.m
%>
%>  Y = rms (X)
%>  Y = rms (X, DIMENSION)
%>  Root of the mean of squares.
%>
%> 'doc' is a function from the file /usr/share/octave/site/m/compat/doc.m
